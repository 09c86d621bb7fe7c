// Whoever joins and leaves: a sequence's columns hold the logits of its tokens, and what nobody
// needs any more goes away.
#include "engine/layers/output_subset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <vector>

namespace attend {
namespace {

constexpr int64_t kTokens = 2000, kHidden = 24;

Matrix Random(int64_t rows, int64_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Matrix out(rows, cols);
  for (int64_t i = 0; i < rows * cols; ++i) out.data()[i] = normal(random);
  return out;
}

class OutputSubsetTest : public ::testing::Test {
 protected:
  OutputSubsetTest()
      : dense_(*Int8Weight::Quantize(Random(kTokens, kHidden, 1).view()), {}, std::nullopt),
        hidden_(Random(3, kHidden, 2)),
        whole_(3, kTokens) {
    dense_.Run(hidden_.view(), whole_.view());
  }

  void ExpectRight(const OutputSubset& subset, const std::vector<int32_t>& tokens) {
    std::vector<int32_t> slots;
    subset.SlotsOf(tokens, &slots);
    ASSERT_EQ(slots.size(), tokens.size());
    Matrix logits;
    subset.Run(hidden_.view(), &logits);
    ASSERT_EQ(logits.cols(), subset.slots());
    for (int64_t r = 0; r < 3; ++r) {
      for (size_t i = 0; i < tokens.size(); ++i)
        ASSERT_EQ(logits.row(r)[slots[i]], whole_.row(r)[tokens[i]]);
    }
  }

  Int8Dense dense_;
  Matrix hidden_, whole_;
};

TEST_F(OutputSubsetTest, PinnedTokensStay) {
  const std::vector<int32_t> pinned = {3, 1999, 40};
  OutputSubset subset(&dense_, pinned);
  EXPECT_EQ(subset.slots(), 3);
  subset.Add({3, 5});
  EXPECT_EQ(subset.slots(), 4);
  subset.Remove({3, 5});
  EXPECT_EQ(subset.slots(), 3);
  ExpectRight(subset, pinned);
}

TEST_F(OutputSubsetTest, AnyOrderOfComingAndGoing) {
  std::mt19937 random(7);
  std::vector<int32_t> all(kTokens);
  std::iota(all.begin(), all.end(), 0);
  OutputSubset subset(&dense_, {0, 1, 2, 3});
  struct Live {
    std::vector<int32_t> tokens, slots;
    int64_t layout;
  };
  std::vector<Live> live;
  for (int step = 0; step < 400; ++step) {
    // Crowds that grow and shrink.
    const bool joins = live.empty() || random() % 8 < (step / 60 % 2 == 0 ? 5u : 3u);
    if (joins) {
      Live next;
      std::sample(all.begin(), all.end(), std::back_inserter(next.tokens), 1 + random() % 250,
                  random);
      subset.Add(next.tokens);
      subset.SlotsOf(next.tokens, &next.slots);
      next.layout = subset.layout();
      live.push_back(next);
    } else {
      const size_t who = random() % live.size();
      subset.Remove(live[who].tokens);
      live.erase(live.begin() + static_cast<ptrdiff_t>(who));
    }
    std::vector<bool> needed(kTokens, false);
    for (int32_t pinned : {0, 1, 2, 3}) needed[static_cast<size_t>(pinned)] = true;
    for (Live& one : live) {
      std::vector<int32_t> slots;
      subset.SlotsOf(one.tokens, &slots);
      if (one.layout == subset.layout()) {
        ASSERT_EQ(slots, one.slots) << "they move with the layout only";
      }
      one.slots = slots;
      one.layout = subset.layout();
      for (const int32_t token : one.tokens) needed[static_cast<size_t>(token)] = true;
    }
    const int64_t num_needed = std::count(needed.begin(), needed.end(), true);
    ASSERT_GE(subset.slots(), num_needed);
    ASSERT_LE(subset.slots(), num_needed + std::max<int64_t>(256, num_needed / 2));
    if (!live.empty()) ExpectRight(subset, live[random() % live.size()].tokens);
  }
  for (const Live& one : live) subset.Remove(one.tokens);
  EXPECT_EQ(subset.slots(), 4);
}

}  // namespace
}  // namespace attend
