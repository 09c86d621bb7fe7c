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
using ::testing::IsEmpty;
using ::testing::Pointwise;

using Effect = LogitsProcessor::Effect;

constexpr float kInf = std::numeric_limits<float>::infinity();

GenerationOptions Options() {
  GenerationOptions options;
  options.max_length = 10;
  options.eos_token_ids = {0};
  options.decoder_start_token_id = 4;
  return options;
}

// Scores after Apply, after it was seen to do no more than EffectAt says and to be undone.
std::vector<float> Apply(const GenerationOptions& options, const std::vector<int32_t>& ids,
                         std::vector<float> scores, const std::vector<int32_t>& source = {}) {
  LogitsProcessor processor(options, source);
  const std::vector<float> before = scores;
  processor.Apply(ids, absl::MakeSpan(scores));
  const Effect effect = processor.EffectAt(static_cast<int>(ids.size()));
  if (effect == Effect::kDense) return scores;
  if (effect == Effect::kNone) {
    EXPECT_EQ(before, scores);
  }
  std::vector<bool> is_changed(scores.size(), false);
  for (const LogitsProcessor::Change& change : processor.changes())
    is_changed[static_cast<size_t>(change.token)] = true;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!is_changed[i]) {
      EXPECT_EQ(before[i], scores[i]) << i;
    } else if (effect == Effect::kBans) {
      EXPECT_EQ(scores[i], -kInf) << i;
    }
  }
  std::vector<float> undone = scores;
  processor.Undo(absl::MakeSpan(undone));
  EXPECT_EQ(before, undone);
  EXPECT_THAT(processor.changes(), IsEmpty());
  return scores;
}

TEST(LogitsProcessorTest, DefaultsChangeNothing) {
  LogitsProcessor processor(Options(), {});
  EXPECT_EQ(processor.EffectAt(1), Effect::kNone);
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

TEST(LogitsProcessorTest, EffectAtALength) {
  const auto effect_at = [](const GenerationOptions& options, int length) {
    return LogitsProcessor(options, {}).EffectAt(length);
  };
  GenerationOptions options = Options();
  options.min_length = 3;
  EXPECT_EQ(effect_at(options, 2), Effect::kBans);
  EXPECT_EQ(effect_at(options, 3), Effect::kNone);
  options.min_length = 0;
  options.min_new_tokens = 2;
  EXPECT_EQ(effect_at(options, 2), Effect::kBans);
  EXPECT_EQ(effect_at(options, 3), Effect::kNone);
  options.forced_bos_token_id = 2;
  options.forced_eos_token_id = 0;
  EXPECT_EQ(effect_at(options, 1), Effect::kDense);
  EXPECT_EQ(effect_at(options, 8), Effect::kNone);
  EXPECT_EQ(effect_at(options, 9), Effect::kDense);
  options.bad_words_ids = {{3}};
  EXPECT_EQ(effect_at(options, 8), Effect::kBans);
  options.repetition_penalty = 0.5f;
  EXPECT_EQ(effect_at(options, 8), Effect::kFew);
  options.renormalize_logits = true;
  EXPECT_EQ(effect_at(options, 8), Effect::kDense);
}

TEST(LogitsProcessorTest, UndoesWhatWasChangedTwice) {
  GenerationOptions options = Options();
  options.repetition_penalty = 2.0f;  // halves 1, which is then banned three times
  options.no_repeat_ngram_size = 1;
  options.suppress_tokens = {1};
  LogitsProcessor processor(options, {});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> scores = {nan, 2, 3, -kInf, 5};
  processor.Apply({4, 1, 1, 0}, absl::MakeSpan(scores));
  EXPECT_THAT(scores, ElementsAre(-kInf, -kInf, 3, -kInf, -kInf));
  processor.Undo(absl::MakeSpan(scores));
  EXPECT_TRUE(std::isnan(scores[0]));
  scores[0] = 0;
  EXPECT_THAT(scores, ElementsAre(0, 2, 3, -kInf, 5));
}

}  // namespace
}  // namespace attend
