// Greedy search and sampling on tables of logits worked out by hand.
#include "engine/generation/greedy_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "engine/generation/logits_processor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/generation/scripted_model.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::IsEmpty;
using ::testing::Pointwise;

constexpr int64_t kVocab = 5;  // 0 ends, 4 starts

GenerationOptions Options() {
  GenerationOptions options;
  options.eos_token_ids = {0};
  options.decoder_start_token_id = 4;
  options.max_length = 8;
  return options;
}

ScriptedLogits Table() {
  return Markov({
      FromProbabilities({1, 0, 0, 0, 0}),      // after 0: never asked
      FromProbabilities({.1, .2, .5, .2, 0}),  // after 1: 2
      FromProbabilities({.3, .1, .1, .5, 0}),  // after 2: 3
      FromProbabilities({.6, .1, .1, .2, 0}),  // after 3: end
      FromProbabilities({.1, .4, .3, .2, 0}),  // after the start: 1
  });
}

TEST(GreedySearchTest, TakesTheBestUntilTheEndToken) {
  auto search = MakeSearch(Options(), {}, kVocab);
  ScriptedRun run(search.get(), Table(), kVocab);
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(4, 1)));
  EXPECT_THAT(search->settled(), ElementsAre(1));
  EXPECT_EQ(search->num_generated(), 1);
  const std::vector<Hypothesis> hypotheses = run.Finish();
  ASSERT_EQ(hypotheses.size(), 1u);
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(1, 2, 3, 0));
  const std::vector<float> log_probs = {std::log(.4f), std::log(.5f), std::log(.5f), std::log(.6f)};
  EXPECT_THAT(hypotheses[0].log_probs, Pointwise(FloatNear(1e-5f), log_probs));
  EXPECT_NEAR(hypotheses[0].score, (std::log(.4) + std::log(.5) + std::log(.5) + std::log(.6)) / 4,
              1e-5);
  EXPECT_EQ(hypotheses[0].finish_reason, FinishReason::kEos);
  EXPECT_EQ(run.num_steps(), 4);
}

TEST(GreedySearchTest, StopsAtMaxLength) {
  GenerationOptions options = Options();
  options.max_length = 3;
  auto search = MakeSearch(options, {}, kVocab);
  const auto hypotheses = ScriptedRun(search.get(), Table(), kVocab).Finish();
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(1, 2));
  EXPECT_EQ(hypotheses[0].finish_reason, FinishReason::kLength);
}

TEST(GreedySearchTest, LogProbsAreOfRawLogits) {
  GenerationOptions options = Options();
  options.max_length = 4;
  options.suppress_tokens = {1};
  options.forced_eos_token_id = 0;
  auto search = MakeSearch(options, {}, kVocab);
  const auto hypotheses = ScriptedRun(search.get(), Table(), kVocab).Finish();
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(2, 3, 0));
  EXPECT_THAT(
      hypotheses[0].log_probs,
      Pointwise(FloatNear(1e-5f), std::vector<float>{std::log(.3f), std::log(.5f), std::log(.6f)}));
}

TEST(GreedySearchTest, AForcedEndIsACutUnlessTheModelWantedIt) {
  GenerationOptions options = Options();
  options.forced_eos_token_id = 0;
  options.max_length = 4;  // the model ends after three tokens: forced where it would be by itself
  auto search = MakeSearch(options, {}, kVocab);
  const auto cut = ScriptedRun(search.get(), Table(), kVocab).Finish();
  EXPECT_THAT(cut[0].tokens, ElementsAre(1, 2, 0));
  EXPECT_EQ(cut[0].finish_reason, FinishReason::kLength);
  EXPECT_NEAR(cut[0].score, (std::log(.4) + std::log(.5)) / 2, 1e-5);
  options.max_length = 5;
  search = MakeSearch(options, {}, kVocab);
  const auto complete = ScriptedRun(search.get(), Table(), kVocab).Finish();
  EXPECT_THAT(complete[0].tokens, ElementsAre(1, 2, 3, 0));
  EXPECT_EQ(complete[0].finish_reason, FinishReason::kEos);
  EXPECT_NEAR(complete[0].score, (std::log(.4) + std::log(.5) + std::log(.5) + std::log(.6)) / 4,
              1e-5);
}

TEST(GreedySearchTest, FirstOfEqualScoresWins) {
  auto search = MakeSearch(Options(), {}, kVocab);
  ScriptedRun run(
      search.get(),
      [](const std::vector<int32_t>&) {
        return std::vector<float>{1, 3, 3, 3, 0};
      },
      kVocab);
  run.Step();
  EXPECT_THAT(search->settled(), ElementsAre(1));
}

TEST(GreedySearchTest, AllNanLogitsEndAtMaxLength) {
  GenerationOptions options = Options();
  options.eos_token_ids = {};
  auto search = MakeSearch(options, {}, kVocab);
  ScriptedRun run(
      search.get(),
      [](const std::vector<int32_t>&) { return std::vector<float>(5, std::nanf("")); }, kVocab);
  EXPECT_EQ(run.Finish()[0].tokens.size(), 7u);
}

TEST(GreedySearchTest, PrefixIsFedOneByOneAndCountsInNoScore) {
  GenerationOptions options = Options();
  options.prefix_tokens = {3, 2};
  options.forced_bos_token_id = 1;  // no effect after a prefix
  auto search = MakeSearch(options, {}, kVocab);
  ScriptedRun run(search.get(), Table(), kVocab);
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(4, 3)));
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(4, 3, 2)));
  const auto hypotheses = run.Finish();
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(3, 2, 3, 0));
  EXPECT_THAT(hypotheses[0].log_probs,
              Pointwise(FloatNear(1e-5f), std::vector<float>{std::log(.2f), std::log(.1f),
                                                             std::log(.5f), std::log(.6f)}));
  EXPECT_NEAR(hypotheses[0].score, (std::log(.5) + std::log(.6)) / 2, 1e-5);
}

TEST(GreedySearchTest, PrefixLongerThanMaxLengthIsCut) {
  GenerationOptions options = Options();
  options.prefix_tokens = {3, 2, 1, 1, 1, 1, 1, 1, 1};
  options.max_length = 4;
  auto search = MakeSearch(options, {}, kVocab);
  const auto hypotheses = ScriptedRun(search.get(), Table(), kVocab).Finish();
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(3, 2, 1));
  EXPECT_EQ(hypotheses[0].score, 0);
}

TEST(GreedySearchTest, StopKeepsWhatThereIs) {
  auto search = MakeSearch(Options(), {}, kVocab);
  ScriptedRun run(search.get(), Table(), kVocab);
  run.Step();
  search->Stop();
  EXPECT_TRUE(search->finished());
  EXPECT_THAT(search->Hypotheses()[0].tokens, ElementsAre(1));
  EXPECT_EQ(search->Hypotheses()[0].finish_reason, FinishReason::kLength);

  search = MakeSearch(Options(), {}, kVocab);
  search->Stop();
  EXPECT_THAT(search->Hypotheses()[0].tokens, IsEmpty());
}

TEST(GreedySearchTest, SamplesAreIndependentRowsThatLeaveWhenTheyEnd) {
  GenerationOptions options = Options();
  options.sampling = SamplingOptions();
  options.sampling->seed = 5;
  options.num_return_sequences = 6;
  options.prefix_tokens = {1};
  auto search = MakeSearch(options, {}, kVocab);
  ScriptedRun run(search.get(), Table(), kVocab);
  run.Step();
  EXPECT_EQ(run.rows().size(), 1u);  // start and prefix are shared
  run.Step();
  EXPECT_GT(run.rows().size(), 1u);
  const std::vector<Hypothesis> hypotheses = run.Finish();
  ASSERT_EQ(hypotheses.size(), 6u);
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    EXPECT_EQ(hypotheses[i].tokens[0], 1);
    const bool ended = hypotheses[i].tokens.back() == 0;
    EXPECT_EQ(hypotheses[i].finish_reason, ended ? FinishReason::kEos : FinishReason::kLength);
    if (i > 0) {
      EXPECT_GE(hypotheses[i - 1].score, hypotheses[i].score);
    }
  }
  // A sample does not depend on how many others there are: the first of one is among the six.
  options.num_return_sequences = 1;
  auto alone = MakeSearch(options, {}, kVocab);
  const std::vector<int32_t> tokens = ScriptedRun(alone.get(), Table(), kVocab).Finish()[0].tokens;
  EXPECT_TRUE(std::any_of(hypotheses.begin(), hypotheses.end(),
                          [&](const Hypothesis& h) { return h.tokens == tokens; }));
}

// Few values, so that there are ties; some entries that are impossible or no number.
std::vector<float> LogitsWithTies(const std::vector<int32_t>& ids, int vocab) {
  std::seed_seq seed(ids.begin(), ids.end());
  std::mt19937 random(seed);
  std::vector<float> row;
  for (int i = 0; i < vocab; ++i) {
    row.push_back(static_cast<float>(static_cast<int>(random() % 12) - 7));
    if (random() % 20 == 0) row.back() = kMinusInfinity;
    if (random() % 20 == 0) row.back() = std::numeric_limits<float>::quiet_NaN();
  }
  return row;
}

// Greedy search without any saving: processors on a copy of each row, then the largest.
std::vector<int32_t> PlainGreedy(const GenerationOptions& options, int vocab) {
  std::vector<int32_t> ids = {options.decoder_start_token_id};
  while (ids.size() < static_cast<size_t>(options.max_length)) {
    std::vector<float> row = LogitsWithTies(ids, vocab);
    LogitsProcessor(options, {}).Apply(ids, absl::MakeSpan(row));
    int32_t best = -1;
    for (int32_t i = 0; i < vocab; ++i) {
      const float score = row[static_cast<size_t>(i)];
      if (score > (best < 0 ? kMinusInfinity : row[static_cast<size_t>(best)])) best = i;
    }
    ids.push_back(std::max(best, 0));
    if (ids.back() == 0) break;
  }
  return {ids.begin() + 1, ids.end()};
}

TEST(GreedySearchTest, EqualsThePlainSearchWhateverIsProcessed) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](unsigned lowest, unsigned highest) {
      return static_cast<int>(lowest + random() % (highest - lowest + 1));
    };
    const int vocab = pick(3, 12);
    GenerationOptions options = Options();
    options.decoder_start_token_id = vocab - 1;
    options.max_length = 10;
    options.min_length = pick(0, 1) * pick(0, 9);
    options.no_repeat_ngram_size = pick(0, 1) * pick(1, 2);
    // Below 1 it makes tokens likelier that were there already.
    options.repetition_penalty = std::vector<float>{1, 1.3f, 0.5f}[static_cast<size_t>(pick(0, 2))];
    if (pick(0, 1)) options.bad_words_ids = {{vocab - 1}, {1, 2}};
    if (pick(0, 3) == 0) options.suppress_tokens = {1};
    if (pick(0, 3) == 0) options.forced_bos_token_id = 2;
    if (pick(0, 3) == 0) options.forced_eos_token_id = 0;
    auto search = MakeSearch(options, {}, vocab);
    ScriptedRun run(
        search.get(), [&](const auto& ids) { return LogitsWithTies(ids, vocab); }, vocab);
    const std::vector<Hypothesis> hypotheses = run.Finish();
    ASSERT_EQ(hypotheses.size(), 1u);
    ASSERT_EQ(hypotheses[0].tokens, PlainGreedy(options, vocab)) << seed;
  }
}

}  // namespace
}  // namespace attend
