// A search over a shortlist writes what the same search writes over the whole vocabulary when every
// other token is impossible.
#include "engine/generation/shortlisted_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/engine/generation/scripted_model.h"

namespace attend {
namespace {

constexpr int32_t kVocab = 40;

GenerationOptions Options() {
  GenerationOptions options;
  options.decoder_start_token_id = 39;
  options.eos_token_ids = {0};
  options.max_length = 12;
  options.bad_words_ids = {{39}};
  return options;
}

// Random logits that follow from the ids so far.
std::vector<float> Logits(const std::vector<int32_t>& ids) {
  std::seed_seq seed(ids.begin(), ids.end());
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> row;
  for (int32_t i = 0; i < kVocab; ++i) row.push_back(normal(random));
  return row;
}

std::vector<int32_t> RandomCandidates(const GenerationOptions& options, std::mt19937* random) {
  std::vector<int32_t> candidates = RequiredTokens(options);
  for (int32_t token = 0; token < kVocab; ++token) {
    if ((*random)() % 3 == 0) candidates.push_back(token);
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  return candidates;
}

// Both searches side by side, step by step.
void ExpectSame(const GenerationOptions& options, const std::vector<int32_t>& source,
                const std::vector<int32_t>& candidates) {
  auto whole = MakeSearch(options, source, kVocab);
  auto part = MakeShortlistedSearch(options, source, candidates);
  std::vector<std::vector<int32_t>> rows = {{options.decoder_start_token_id}};
  while (!whole->finished()) {
    ASSERT_EQ(whole->rows().size(), part->rows().size());
    Matrix all(static_cast<int64_t>(rows.size()), kVocab);
    Matrix some(static_cast<int64_t>(rows.size()), static_cast<int64_t>(candidates.size()));
    for (size_t r = 0; r < rows.size(); ++r) {
      const std::vector<float> logits = Logits(rows[r]);
      std::fill_n(all.row(static_cast<int64_t>(r)), kVocab, kMinusInfinity);
      for (size_t i = 0; i < candidates.size(); ++i) {
        const float logit = logits[static_cast<size_t>(candidates[i])];
        all.row(static_cast<int64_t>(r))[candidates[i]] = logit;
        some.row(static_cast<int64_t>(r))[i] = logit;
      }
    }
    whole->Advance(all.view());
    part->Advance(some.view());
    std::vector<std::vector<int32_t>> next;
    ASSERT_EQ(whole->rows().size(), part->rows().size());
    for (size_t r = 0; r < whole->rows().size(); ++r) {
      ASSERT_EQ(whole->rows()[r].token, part->rows()[r].token);
      ASSERT_EQ(whole->rows()[r].parent, part->rows()[r].parent);
      next.push_back(rows[static_cast<size_t>(whole->rows()[r].parent)]);
      next.back().push_back(whole->rows()[r].token);
    }
    rows = next;
    ASSERT_EQ(whole->settled(), part->settled());
    ASSERT_EQ(whole->num_generated(), part->num_generated());
  }
  ASSERT_TRUE(part->finished());
  const std::vector<Hypothesis> expected = whole->Hypotheses(), found = part->Hypotheses();
  ASSERT_EQ(expected.size(), found.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(expected[i].tokens, found[i].tokens);
    EXPECT_EQ(expected[i].finish_reason, found[i].finish_reason);
    EXPECT_NEAR(expected[i].score, found[i].score, 1e-4);
    ASSERT_EQ(expected[i].log_probs.size(), found[i].log_probs.size());
    for (size_t t = 0; t < expected[i].log_probs.size(); ++t)
      EXPECT_NEAR(expected[i].log_probs[t], found[i].log_probs[t], 1e-4);
  }
}

void ExpectSameForManyLists(const GenerationOptions& options) {
  std::mt19937 random(11);
  const std::vector<int32_t> source = {7, 8, 9, 8, 9, 0};
  for (int i = 0; i < 40; ++i) {
    ExpectSame(options, source, RandomCandidates(options, &random));
    if (::testing::Test::HasFatalFailure()) FAIL() << "list " << i;
  }
}

TEST(ShortlistedSearchTest, Greedy) { ExpectSameForManyLists(Options()); }

TEST(ShortlistedSearchTest, Beams) {
  GenerationOptions options = Options();
  options.num_beams = 4;
  options.num_return_sequences = 3;
  ExpectSameForManyLists(options);
}

TEST(ShortlistedSearchTest, Samples) {
  GenerationOptions options = Options();
  options.sampling = SamplingOptions();
  options.sampling->top_p = 0.9f;
  options.sampling->seed = 3;
  options.num_return_sequences = 2;
  ExpectSameForManyLists(options);
}

TEST(ShortlistedSearchTest, EveryProcessor) {
  for (const int num_beams : {1, 3}) {
    GenerationOptions options = Options();
    options.num_beams = num_beams;
    options.prefix_tokens = {33, 12};
    options.forced_eos_token_id = 0;
    options.suppress_tokens = {5, 6, 12, 30};
    options.bad_words_ids = {{39}, {3, 4}, {12, 5}, {20, 21, 22}};
    options.no_repeat_ngram_size = 2;
    options.encoder_no_repeat_ngram_size = 2;
    options.repetition_penalty = 1.3f;
    options.min_new_tokens = 4;
    options.renormalize_logits = true;
    ExpectSameForManyLists(options);
    options.prefix_tokens.clear();
    options.forced_bos_token_id = 17;
    ExpectSameForManyLists(options);
  }
}

TEST(ShortlistedSearchTest, FewerCandidatesThanBeams) {
  GenerationOptions options = Options();
  options.num_beams = 4;
  ExpectSame(options, {7}, {0, 20, 39});
}

TEST(ShortlistedSearchTest, StopKeepsWhatThereIs) {
  auto search = MakeShortlistedSearch(Options(), {}, {0, 4, 39});
  Matrix logits(1, 3);
  logits.data()[0] = 0;
  logits.data()[1] = 5;
  logits.data()[2] = 1;
  search->Advance(logits.view());
  search->Stop();
  ASSERT_TRUE(search->finished());
  EXPECT_EQ(search->Hypotheses()[0].tokens, std::vector<int32_t>{4});
}

TEST(ShortlistedSearchTest, RequiredTokens) {
  GenerationOptions options = Options();
  options.prefix_tokens = {7};
  options.forced_bos_token_id = 8;
  options.forced_eos_token_id = 9;
  std::vector<int32_t> required = RequiredTokens(options);
  std::sort(required.begin(), required.end());
  EXPECT_EQ(required, (std::vector<int32_t>{0, 7, 8, 9, 39}));
}

}  // namespace
}  // namespace attend
