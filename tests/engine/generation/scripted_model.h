// A model made of a table, for tests of searches: the logits of a row are a function of the ids of
// that row so far.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "engine/generation/search_state.h"
#include "engine/tensor/matrix.h"
#include "gtest/gtest.h"

namespace attend {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Logits whose softmax gives exactly these probabilities; shifted, so that nobody can mistake them
// for log-probabilities.
inline std::vector<float> FromProbabilities(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) {
    logits.push_back(p > 0 ? static_cast<float>(std::log(p) + 1.5) : kMinusInfinity);
  }
  return logits;
}

// ids (with the start token) → logits.
using ScriptedLogits = std::function<std::vector<float>(const std::vector<int32_t>& ids)>;

// Feeds a search, following its rows' parents as the engine does, and checks on the way what every
// search promises.
class ScriptedRun {
 public:
  ScriptedRun(SearchState* search, ScriptedLogits script, int64_t vocab_size)
      : search_(search), script_(std::move(script)), vocab_size_(vocab_size) {
    EXPECT_EQ(search_->rows().size(), 1u);
    ids_ = {{search_->rows()[0].token}};
  }

  void Step() {
    Matrix logits(static_cast<int64_t>(ids_.size()), vocab_size_);
    for (size_t r = 0; r < ids_.size(); ++r) {
      const std::vector<float> row = script_(ids_[r]);
      ASSERT_EQ(static_cast<int64_t>(row.size()), vocab_size_);
      std::copy(row.begin(), row.end(), logits.row(static_cast<int64_t>(r)));
    }
    const std::vector<int32_t> before(search_->settled().begin(), search_->settled().end());
    const std::vector<float> held(logits.data(), logits.data() + logits.rows() * logits.cols());
    search_->Advance(logits.view());
    // To the bit: NaN differs from itself.
    ASSERT_EQ(std::memcmp(held.data(), logits.data(), held.size() * sizeof(float)), 0);
    ++num_steps_;
    std::vector<std::vector<int32_t>> next;
    for (const SearchRow& row : search_->rows()) {
      ASSERT_GE(row.parent, 0);
      ASSERT_LT(static_cast<size_t>(row.parent), ids_.size());
      next.push_back(ids_[static_cast<size_t>(row.parent)]);
      next.back().push_back(row.token);
    }
    ids_ = std::move(next);
    // What was settled stays settled.
    const std::vector<int32_t> after(search_->settled().begin(), search_->settled().end());
    ASSERT_GE(after.size(), before.size());
    ASSERT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
  }

  // Runs to the end and returns the hypotheses; the best must begin with everything that was ever
  // called settled.
  std::vector<Hypothesis> Finish() {
    while (!search_->finished()) {
      Step();
      if (::testing::Test::HasFatalFailure()) return {};
    }
    std::vector<Hypothesis> hypotheses = search_->Hypotheses();
    EXPECT_FALSE(hypotheses.empty());
    if (hypotheses.empty()) return hypotheses;
    const std::vector<int32_t>& best = hypotheses[0].tokens;
    const absl::Span<const int32_t> settled = search_->settled();
    EXPECT_LE(settled.size(), best.size());
    EXPECT_TRUE(std::equal(settled.begin(), settled.end(), best.begin()));
    for (const Hypothesis& hypothesis : hypotheses) {
      EXPECT_EQ(hypothesis.tokens.size(), hypothesis.log_probs.size());
    }
    return hypotheses;
  }

  const std::vector<std::vector<int32_t>>& rows() const { return ids_; }
  int num_steps() const { return num_steps_; }

 private:
  SearchState* search_;
  ScriptedLogits script_;
  int64_t vocab_size_;
  std::vector<std::vector<int32_t>> ids_;
  int num_steps_ = 0;
};

// Logits that depend on the last id only.
inline ScriptedLogits Markov(std::vector<std::vector<float>> table) {
  return [table = std::move(table)](const std::vector<int32_t>& ids) {
    return table[static_cast<size_t>(ids.back())];
  };
}

}  // namespace attend
