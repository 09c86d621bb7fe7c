// Beam search on a table worked out by hand. Two beams, 0 ends, 3 starts; the sums of
// log-probabilities by step:
//   1: a -0.693, b -0.916
//   2: b</s> -1.022 (ends, / 2 = -0.511), ab -1.386, aa -1.897
//   3: ab</s> -1.492 (ends, / 3 = -0.497), aab -2.590, aaa -3.101
//   4: aab</s> -2.696 (ends, / 4 = -0.674: too bad), aaab -3.794, aaaa -4.305
//   5: aaab</s> -3.900, aaaab -4.998, aaaaa -5.509;   6: aaaab</s> -5.104
#include "engine/generation/beam_search.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/generation/scripted_model.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kVocab = 4;
constexpr int32_t kEnd = 0, kA = 1, kB = 2, kStart = 3;

ScriptedLogits Table() {
  return Markov({
      FromProbabilities({1, 0, 0, 0}),
      FromProbabilities({.2, .3, .5, 0}),
      FromProbabilities({.9, .05, .05, 0}),
      FromProbabilities({.1, .5, .4, 0}),
  });
}

GenerationOptions Options() {
  GenerationOptions options;
  options.num_beams = 2;
  options.num_return_sequences = 2;
  options.eos_token_ids = {kEnd};
  options.decoder_start_token_id = kStart;
  options.max_length = 10;
  return options;
}

void ExpectTheTwoBest(const std::vector<Hypothesis>& hypotheses) {
  ASSERT_EQ(hypotheses.size(), 2u);
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(kA, kB, kEnd));
  EXPECT_NEAR(hypotheses[0].score, (std::log(.5) + std::log(.5) + std::log(.9)) / 3, 1e-6);
  EXPECT_EQ(hypotheses[0].finish_reason, FinishReason::kEos);
  EXPECT_NEAR(hypotheses[0].log_probs[2], std::log(.9), 1e-5);
  EXPECT_THAT(hypotheses[1].tokens, ElementsAre(kB, kEnd));
  EXPECT_NEAR(hypotheses[1].score, (std::log(.4) + std::log(.9)) / 2, 1e-6);
}

TEST(BeamSearchTest, KeepsRowsInOrderAndSettlesWhatAllShare) {
  auto search = MakeSearch(Options(), {}, kVocab);
  ScriptedRun run(search.get(), Table(), kVocab);
  EXPECT_THAT(search->settled(), IsEmpty());
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(kStart, kA), ElementsAre(kStart, kB)));
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(kStart, kA, kB), ElementsAre(kStart, kA, kA)));
  EXPECT_THAT(search->settled(), IsEmpty());  // b</s> may still win
  run.Step();
  EXPECT_THAT(search->settled(),
              ElementsAre(kA));  // ab</s> beats b</s>, and all that runs begins with a
  ExpectTheTwoBest(run.Finish());
  EXPECT_THAT(search->settled(), ElementsAre(kA, kB, kEnd));
}

TEST(BeamSearchTest, AForcedEndIsACutUnlessTheModelWantedIt) {
  GenerationOptions options = Options();
  options.forced_eos_token_id = kEnd;
  options.max_length = 4;
  auto search = MakeSearch(options, {}, kVocab);
  const auto hypotheses = ScriptedRun(search.get(), Table(), kVocab).Finish();
  ASSERT_EQ(hypotheses.size(), 2u);
  // After a, b the model ends; after a, a it would rather go on with b.
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(kA, kB, kEnd));
  EXPECT_EQ(hypotheses[0].finish_reason, FinishReason::kEos);
  EXPECT_THAT(hypotheses[1].tokens, ElementsAre(kB, kEnd));
  options.max_length = 3;
  search = MakeSearch(options, {}, kVocab);
  const auto cut = ScriptedRun(search.get(), Table(), kVocab).Finish();
  EXPECT_THAT(cut[0].tokens, ElementsAre(kA, kEnd));
  EXPECT_EQ(cut[0].finish_reason, FinishReason::kLength);
  EXPECT_THAT(cut[1].tokens, ElementsAre(kB, kEnd));
  EXPECT_EQ(cut[1].finish_reason, FinishReason::kEos);
}

TEST(BeamSearchTest, EarlyStoppingDecidesWhenToStop) {
  const struct {
    EarlyStopping early_stopping;
    int steps;
  } cases[] = {{EarlyStopping::kTrue, 3}, {EarlyStopping::kFalse, 4}, {EarlyStopping::kNever, 6}};
  for (const auto& c : cases) {
    GenerationOptions options = Options();
    options.early_stopping = c.early_stopping;
    auto search = MakeSearch(options, {}, kVocab);
    ScriptedRun run(search.get(), Table(), kVocab);
    ExpectTheTwoBest(run.Finish());
    EXPECT_EQ(run.num_steps(), c.steps);
  }
}

TEST(BeamSearchTest, WithoutLengthPenaltyNeverMeansNow) {
  GenerationOptions options = Options();
  options.early_stopping = EarlyStopping::kNever;
  options.length_penalty = 0;  // scores are sums: nothing longer can win
  auto search = MakeSearch(options, {}, kVocab);
  ScriptedRun run(search.get(), Table(), kVocab);
  const auto hypotheses = run.Finish();
  EXPECT_EQ(run.num_steps(), 3);
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(kB, kEnd));
  EXPECT_NEAR(hypotheses[0].score, std::log(.4) + std::log(.9), 1e-6);
}

TEST(BeamSearchTest, CutBeamsCompeteWithFinishedOnes) {
  GenerationOptions options = Options();
  options.max_length = 3;  // after step 2: b</s> finished, ab and aa running
  auto search = MakeSearch(options, {}, kVocab);
  const auto hypotheses = ScriptedRun(search.get(), Table(), kVocab).Finish();
  ASSERT_EQ(hypotheses.size(), 2u);
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(kB, kEnd));
  EXPECT_THAT(hypotheses[1].tokens, ElementsAre(kA, kB));
  EXPECT_NEAR(hypotheses[1].score, 2 * std::log(.5) / 2, 1e-6);
  EXPECT_EQ(hypotheses[1].finish_reason, FinishReason::kLength);
}

TEST(BeamSearchTest, StopKeepsTheBestOfFinishedAndRunning) {
  GenerationOptions options = Options();
  options.num_return_sequences = 1;
  auto search = MakeSearch(options, {}, kVocab);
  ScriptedRun run(search.get(), Table(), kVocab);
  run.Step();
  run.Step();
  search->Stop();
  search->Stop();  // once more changes nothing
  EXPECT_TRUE(search->finished());
  ASSERT_EQ(search->Hypotheses().size(), 1u);
  EXPECT_THAT(search->Hypotheses()[0].tokens, ElementsAre(kB, kEnd));

  search = MakeSearch(Options(), {}, kVocab);
  search->Stop();
  ASSERT_EQ(search->Hypotheses().size(), 1u);  // all beams are still one
  EXPECT_THAT(search->Hypotheses()[0].tokens, IsEmpty());
  EXPECT_EQ(search->Hypotheses()[0].score, 0);
}

TEST(BeamSearchTest, ForcedFirstTokenLeavesOneBeamAhead) {
  GenerationOptions options = Options();
  options.forced_bos_token_id = kB;
  options.num_return_sequences = 1;
  auto search = MakeSearch(options, {}, kVocab);
  ScriptedRun run(search.get(), Table(), kVocab);
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(kStart, kB), ElementsAre(kStart, kB)));
  EXPECT_THAT(search->settled(), ElementsAre(kB));
  const auto hypotheses = run.Finish();
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(kB, kEnd));
  EXPECT_NEAR(hypotheses[0].score, std::log(.9) / 2, 1e-6);  // a forced token scores 0
  EXPECT_NEAR(hypotheses[0].log_probs[0], std::log(.4),
              1e-5);  // but what the model thought of it is told
}

TEST(BeamSearchTest, PrefixIsOneRowAndCountsInNoScore) {
  GenerationOptions options = Options();
  options.prefix_tokens = {kB, kA};
  options.num_return_sequences = 1;
  auto search = MakeSearch(options, {}, kVocab);
  ScriptedRun run(search.get(), Table(), kVocab);
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(kStart, kB)));
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(kStart, kB, kA)));
  EXPECT_THAT(search->settled(), ElementsAre(kB, kA));
  const auto hypotheses = run.Finish();
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(kB, kA, kB, kEnd));
  EXPECT_NEAR(hypotheses[0].score, (std::log(.5) + std::log(.9)) / 2, 1e-6);
  EXPECT_EQ(hypotheses[0].log_probs.size(), 4u);
}

TEST(BeamSearchTest, PrefixThatFillsEverythingEnds) {
  GenerationOptions options = Options();
  options.prefix_tokens = {kB, kA, kA};
  options.max_length = 3;
  auto search = MakeSearch(options, {}, kVocab);
  const auto hypotheses = ScriptedRun(search.get(), Table(), kVocab).Finish();
  ASSERT_EQ(hypotheses.size(), 1u);
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(kB, kA));
  EXPECT_EQ(hypotheses[0].score, 0);
}

TEST(BeamSearchTest, NgramBlockingChangesTheWinner) {
  const ScriptedLogits table = Markov({
      FromProbabilities({1, 0, 0, 0}),
      FromProbabilities({.05, .9, .05, 0}),
      FromProbabilities({.9, .1, 0, 0}),
      FromProbabilities({0, .8, .2, 0}),
  });
  GenerationOptions options = Options();
  options.max_length = 4;
  options.num_return_sequences = 1;
  auto search = MakeSearch(options, {}, kVocab);
  std::vector<Hypothesis> hypotheses = ScriptedRun(search.get(), table, kVocab).Finish();
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(kA, kA, kA));
  EXPECT_NEAR(hypotheses[0].score, (std::log(.8) + 2 * std::log(.9)) / 3, 1e-6);

  options.no_repeat_ngram_size =
      2;  // no "aa" after "aa": what is left of that beam is worse than b</s>
  search = MakeSearch(options, {}, kVocab);
  hypotheses = ScriptedRun(search.get(), table, kVocab).Finish();
  EXPECT_THAT(hypotheses[0].tokens, ElementsAre(kB, kEnd));
  EXPECT_NEAR(hypotheses[0].score, (std::log(.2) + std::log(.9)) / 2, 1e-6);
}

TEST(BeamSearchTest, EqualScoresGoToTheLowerToken) {
  auto search = MakeSearch(Options(), {}, kVocab);
  ScriptedRun run(
      search.get(),
      [](const std::vector<int32_t>&) {
        return std::vector<float>{-9, 1, 1, 1};
      },
      kVocab);
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(kStart, 1), ElementsAre(kStart, 2)));
  run.Step();
  EXPECT_THAT(run.rows(), ElementsAre(ElementsAre(kStart, 1, 1), ElementsAre(kStart, 1, 2)));
}

TEST(BeamSearchTest, NanLogitsEndAtMaxLength) {
  auto search = MakeSearch(Options(), {}, kVocab);
  ScriptedRun run(
      search.get(),
      [](const std::vector<int32_t>&) { return std::vector<float>(4, std::nanf("")); }, kVocab);
  while (!search->finished()) {
    run.Step();
    ASSERT_LT(run.num_steps(), 20);
  }
  EXPECT_FALSE(search->Hypotheses().empty());
}

}  // namespace
}  // namespace attend
