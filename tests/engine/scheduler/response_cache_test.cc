// Which answers stay, and that their bytes stay within the bound.
#include "engine/scheduler/response_cache.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace attend {
namespace {

KeptResponse Answer(size_t num_tokens, size_t num_hypotheses = 1) {
  std::vector<Hypothesis> hypotheses(num_hypotheses);
  for (Hypothesis& hypothesis : hypotheses) {
    hypothesis.tokens.assign(num_tokens, 7);
    hypothesis.log_probs.assign(num_tokens, -1.0f);
  }
  return std::make_shared<const std::vector<Hypothesis>>(hypotheses);
}

// All of one length.
std::string Key(int i) { return "a key longer than a short string " + std::to_string(10000 + i); }

// What answers of this size take when there are `count` of them.
int64_t BytesOfMany(int count, size_t num_tokens) {
  ResponseCache cache(int64_t{1} << 30);
  for (int i = 0; i < count; ++i) cache.Insert(Key(i), Answer(num_tokens));
  EXPECT_EQ(cache.entries(), count);
  return cache.bytes();
}

TEST(ResponseCacheTest, FindsWhatWasKept) {
  ResponseCache cache(1 << 20);
  EXPECT_EQ(cache.Find(Key(1)), nullptr);
  const KeptResponse answer = Answer(5);
  cache.Insert(Key(1), answer);
  EXPECT_EQ(cache.Find(Key(1)), answer);
  EXPECT_EQ(cache.Find(Key(2)), nullptr);
  EXPECT_EQ(cache.entries(), 1);
}

TEST(ResponseCacheTest, WhatWasNotAskedForTheLongestGoesFirst) {
  ResponseCache cache(BytesOfMany(20, 8));
  int next = 0;
  while (cache.evictions() == 0) cache.Insert(Key(next++), Answer(8));
  EXPECT_EQ(cache.evictions(), 1);
  EXPECT_EQ(cache.Find(Key(0)), nullptr);
  ASSERT_NE(cache.Find(Key(1)), nullptr);  // asked for: now 2 is the oldest
  cache.Insert(Key(next++), Answer(8));
  EXPECT_EQ(cache.evictions(), 2);
  EXPECT_NE(cache.Find(Key(1)), nullptr);
  EXPECT_EQ(cache.Find(Key(2)), nullptr);
  EXPECT_NE(cache.Find(Key(3)), nullptr);
}

TEST(ResponseCacheTest, BytesStayWithinTheCapacityWhateverComes) {
  ResponseCache cache(64 << 10);
  unsigned random = 1;
  for (int i = 0; i < 5000; ++i) {
    random = random * 1664525u + 1013904223u;
    const size_t tokens = (random >> 16) % 200;
    cache.Insert(Key(static_cast<int>((random >> 8) % 700)), Answer(tokens, 1 + random % 3));
    ASSERT_LE(cache.bytes(), cache.capacity_bytes());
  }
  EXPECT_GT(cache.evictions(), 0);
  EXPECT_GT(cache.entries(), 8);
  EXPECT_GT(cache.bytes(), cache.capacity_bytes() / 2);
}

// No more can be asked without counting the allocator's own bytes: what is certainly there is
// counted, and a longer key, a longer answer or more of them count as much as they are longer.
TEST(ResponseCacheTest, CountsKeysAnswersAndWhatHoldsThem) {
  const auto bytes = [](const std::string& key, const KeptResponse& answer) {
    ResponseCache cache(1 << 20);
    cache.Insert(key, answer);
    return cache.bytes();
  };
  const int64_t small = bytes(std::string(100, 'k'), Answer(10));
  const auto payload = static_cast<int64_t>(100 + 10 * (sizeof(int32_t) + sizeof(float)) +
                                            sizeof(Hypothesis) + sizeof(std::vector<Hypothesis>));
  EXPECT_GT(small, payload);
  EXPECT_EQ(bytes(std::string(1100, 'k'), Answer(10)), small + 1000);
  EXPECT_EQ(bytes(std::string(100, 'k'), Answer(20)), small + 80);
  EXPECT_GE(bytes(std::string(100, 'k'), Answer(10, 2)),
            small + 80 + static_cast<int64_t>(sizeof(Hypothesis)));
}

TEST(ResponseCacheTest, OneAnswerTakesAnEighthAtMost) {
  const int64_t one = BytesOfMany(1, 100);
  ResponseCache large(one * 9), small(one * 4);
  for (ResponseCache* cache : {&large, &small}) cache->Insert(Key(0), Answer(100));
  EXPECT_EQ(large.entries(), 1);
  EXPECT_EQ(small.entries(), 0);
  EXPECT_EQ(small.bytes(), 0);
  EXPECT_EQ(small.evictions(), 0) << "nothing made room for what is not kept";
}

TEST(ResponseCacheTest, AnAnswerTakesThePlaceOfTheOneBefore) {
  ResponseCache cache(1 << 20);
  cache.Insert(Key(1), Answer(5));
  const int64_t before = cache.bytes();
  const KeptResponse second = Answer(5);
  cache.Insert(Key(1), second);
  EXPECT_EQ(cache.entries(), 1);
  EXPECT_EQ(cache.bytes(), before);
  EXPECT_EQ(cache.Find(Key(1)), second);
}

TEST(ResponseCacheTest, NoCapacityKeepsNothing) {
  ResponseCache cache(0);
  cache.Insert(Key(1), Answer(0));
  EXPECT_EQ(cache.entries(), 0);
  EXPECT_EQ(cache.Find(Key(1)), nullptr);
}

}  // namespace
}  // namespace attend
