// Each processor on literal scores, and their order.
#include "engine/generation/logits_processor.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

constexpr float kInf = std::numeric_limits<float>::infinity();

GenerationOptions Options() {
  GenerationOptions options;
  options.max_length = 10;
  options.eos_token_ids = {0};
  options.decoder_start_token_id = 4;
  return options;
}

std::vector<float> Apply(const GenerationOptions& options, const std::vector<int32_t>& ids,
                         std::vector<float> scores, const std::vector<int32_t>& source = {}) {
  LogitsProcessor processor(options, source);
  const std::vector<float> before = scores;
  processor.Apply(ids, absl::MakeSpan(scores));
  if (processor.LeavesUnchanged(static_cast<int>(ids.size()))) {
    EXPECT_EQ(before, scores);
  }
  return scores;
}

TEST(LogitsProcessorTest, DefaultsChangeNothing) {
  LogitsProcessor processor(Options(), {});
  EXPECT_TRUE(processor.LeavesUnchanged(1));
  EXPECT_THAT(Apply(Options(), {4, 1}, {1, 2, 3, 4, 5}), ElementsAre(1, 2, 3, 4, 5));
}

TEST(LogitsProcessorTest, RepetitionPenaltyDividesGainsAndMultipliesLosses) {
  GenerationOptions options = Options();
  options.repetition_penalty = 2.0f;
  // 1 occurs twice and is penalised once; the start token 4 counts, too.
  EXPECT_THAT(Apply(options, {4, 1, 1, 2}, {1, 2, -3, 4, 5}), ElementsAre(1, 1, -6, 4, 2.5f));
}

TEST(LogitsProcessorTest, NoRepeatNgram) {
  GenerationOptions options = Options();
  options.no_repeat_ngram_size = 2;
  EXPECT_THAT(Apply(options, {4, 1, 2, 1, 3, 1}, {0, 0, 0, 0, 0}),
              ElementsAre(0, 0, -kInf, -kInf, 0));
  EXPECT_THAT(Apply(options, {4}, {0, 0, 0, 0, 0}), ElementsAre(0, 0, 0, 0, 0));
  options.no_repeat_ngram_size = 1;
  EXPECT_THAT(Apply(options, {4, 1}, {0, 0, 0, 0, 0}), ElementsAre(0, -kInf, 0, 0, -kInf));
  options.no_repeat_ngram_size = 3;
  EXPECT_THAT(Apply(options, {4, 1, 2, 4, 1}, {0, 0, 0, 0, 0}), ElementsAre(0, 0, -kInf, 0, 0));
  EXPECT_THAT(Apply(options, {4, 1}, {0, 0, 0, 0, 0}), ElementsAre(0, 0, 0, 0, 0));
  options.no_repeat_ngram_size = 100;
  EXPECT_THAT(Apply(options, {4, 1}, {0, 0, 0, 0, 0}), ElementsAre(0, 0, 0, 0, 0));
}

TEST(LogitsProcessorTest, EncoderNoRepeatNgram) {
  GenerationOptions options = Options();
  options.encoder_no_repeat_ngram_size = 2;
  // Source id 9 is beyond the target vocabulary: nothing to ban.
  EXPECT_THAT(Apply(options, {4, 1}, {0, 0, 0, 0, 0}, {1, 3, 1, 9, 2, 1}),
              ElementsAre(0, 0, 0, -kInf, 0));
}

TEST(LogitsProcessorTest, BadWords) {
  GenerationOptions options = Options();
  options.bad_words_ids = {{3}, {1, 2}, {0}, {4, 1}, {4, 2, 1}};
  // {0} is just the end token and is let through. {1, 2} applies after 1.
  EXPECT_THAT(Apply(options, {4, 1}, {0, 0, 0, 0, 0}), ElementsAre(0, 0, -kInf, -kInf, 0));
  // A word of two is looked at only once there are two ids.
  EXPECT_THAT(Apply(options, {4}, {0, 0, 0, 0, 0}), ElementsAre(0, 0, 0, -kInf, 0));
  EXPECT_THAT(Apply(options, {4, 4, 2}, {0, 0, 0, 0, 0}), ElementsAre(0, -kInf, 0, -kInf, 0));
}

TEST(LogitsProcessorTest, MinimumLengthsKeepTheEndAway) {
  GenerationOptions options = Options();
  options.eos_token_ids = {0, 3};
  options.min_length = 3;
  EXPECT_THAT(Apply(options, {4, 1}, {0, 0, 0, 0, 0}), ElementsAre(-kInf, 0, 0, -kInf, 0));
  EXPECT_THAT(Apply(options, {4, 1, 1}, {0, 0, 0, 0, 0}), ElementsAre(0, 0, 0, 0, 0));
  options.min_length = 0;
  options.min_new_tokens = 2;
  EXPECT_THAT(Apply(options, {4, 1}, {0, 0, 0, 0, 0}), ElementsAre(-kInf, 0, 0, -kInf, 0));
  EXPECT_THAT(Apply(options, {4, 1, 1}, {0, 0, 0, 0, 0}), ElementsAre(0, 0, 0, 0, 0));
  options.prefix_tokens = {1, 1};  // new tokens come after the prefix
  EXPECT_THAT(Apply(options, {4, 1, 1, 2}, {0, 0, 0, 0, 0}), ElementsAre(-kInf, 0, 0, -kInf, 0));
}

TEST(LogitsProcessorTest, ForcedTokens) {
  GenerationOptions options = Options();
  options.forced_bos_token_id = 2;
  options.forced_eos_token_id = 0;
  options.max_length = 4;
  EXPECT_THAT(Apply(options, {4}, {7, 7, 7, 7, 7}), ElementsAre(-kInf, -kInf, 0, -kInf, -kInf));
  EXPECT_THAT(Apply(options, {4, 2}, {7, 7, 7, 7, 7}), ElementsAre(7, 7, 7, 7, 7));
  EXPECT_THAT(Apply(options, {4, 2, 1}, {7, 7, 7, 7, 7}),
              ElementsAre(0, -kInf, -kInf, -kInf, -kInf));
}

TEST(LogitsProcessorTest, ForcedEndBeatsEveryBan) {
  GenerationOptions options = Options();
  options.forced_eos_token_id = 0;
  options.max_length = 4;
  options.min_length = 9;
  options.no_repeat_ngram_size = 1;
  options.repetition_penalty = 3.0f;
  EXPECT_THAT(Apply(options, {4, 2, 0}, {7, 7, 7, 7, 7}),
              ElementsAre(0, -kInf, -kInf, -kInf, -kInf));
}

TEST(LogitsProcessorTest, SuppressedTokensNeverCome) {
  GenerationOptions options = Options();
  options.suppress_tokens = {1, 3};
  EXPECT_THAT(Apply(options, {4}, {1, 1, 1, 1, 1}), ElementsAre(1, -kInf, 1, -kInf, 1));
}

TEST(LogitsProcessorTest, RenormalisesLast) {
  GenerationOptions options = Options();
  options.suppress_tokens = {1, 3, 4};
  options.renormalize_logits = true;
  const float half = std::log(0.5f);
  EXPECT_THAT(Apply(options, {4}, {3, 9, 3, 9, 9}),
              Pointwise(FloatNear(1e-6f), std::vector<float>{half, -kInf, half, -kInf, -kInf}));
}

}  // namespace
}  // namespace attend
