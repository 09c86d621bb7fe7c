// Pages: what forks share, what appending copies, and that every byte is accounted for.
#include "engine/layers/kv_cache.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>
#include <vector>

namespace attend {
namespace {

constexpr int kLayers = 3;
constexpr int64_t kHidden = 8;
constexpr int kPage = SelfCache::kPageTokens;

// Appends a token whose keys and values are all `mark` (plus layer; values negative).
void Write(SelfCache* cache, float mark) {
  cache->Append();
  for (int layer = 0; layer < kLayers; ++layer) {
    for (int64_t i = 0; i < kHidden; ++i) {
      cache->key(layer, cache->length() - 1)[i] = mark + static_cast<float>(layer);
      cache->value(layer, cache->length() - 1)[i] = -mark - static_cast<float>(layer);
    }
  }
}

void ExpectMarks(const SelfCache& cache, const std::vector<float>& marks) {
  ASSERT_EQ(cache.length(), static_cast<int>(marks.size()));
  for (int t = 0; t < cache.length(); ++t) {
    for (int layer = 0; layer < kLayers; ++layer) {
      for (int64_t i = 0; i < kHidden; ++i) {
        ASSERT_EQ(cache.key(layer, t)[i],
                  marks[static_cast<size_t>(t)] + static_cast<float>(layer));
        ASSERT_EQ(cache.value(layer, t)[i],
                  -marks[static_cast<size_t>(t)] - static_cast<float>(layer));
      }
    }
  }
}

TEST(KvCache, CountsPagesAndGivesThemBack) {
  KvCachePool pool(kLayers, kHidden, 1 << 20);
  EXPECT_EQ(pool.page_bytes(), kLayers * 2 * kPage * kHidden * 4);
  EXPECT_EQ(pool.used_bytes(), 0);
  {
    SelfCache cache(&pool);
    for (int t = 1; t <= 2 * kPage + 1; ++t) {
      Write(&cache, static_cast<float>(t));
      EXPECT_EQ(pool.used_bytes(), (t + kPage - 1) / kPage * pool.page_bytes());
    }
    cache.Clear();
    EXPECT_EQ(cache.length(), 0);
    EXPECT_EQ(pool.used_bytes(), 0);
    Write(&cache, 1);
    EXPECT_EQ(pool.used_bytes(), pool.page_bytes());
  }
  EXPECT_EQ(pool.used_bytes(), 0);
}

TEST(KvCache, RowsOfAPageLieOneAfterAnother) {
  KvCachePool pool(kLayers, kHidden, 1 << 20);
  SelfCache cache(&pool);
  for (int t = 0; t < kPage + 3; ++t) Write(&cache, static_cast<float>(t));
  for (int layer = 0; layer < kLayers; ++layer) {
    for (int t = 1; t < kPage; ++t)
      EXPECT_EQ(cache.key(layer, t), cache.key(layer, 0) + t * kHidden);
    EXPECT_EQ(cache.value(layer, kPage + 2), cache.value(layer, kPage) + 2 * kHidden);
  }
}

TEST(KvCache, ForkSharesAndAppendingCopiesOnlyTheLastPage) {
  KvCachePool pool(kLayers, kHidden, 1 << 20);
  SelfCache parent(&pool);
  std::vector<float> marks;
  for (int t = 0; t < kPage + 5; ++t) {
    marks.push_back(static_cast<float>(t * 10));
    Write(&parent, marks.back());
  }
  SelfCache first = parent.Fork(), second = parent.Fork();
  EXPECT_EQ(pool.used_bytes(), 2 * pool.page_bytes());
  std::vector<float> first_marks = marks, second_marks = marks;
  first_marks.push_back(1111);
  Write(&first, 1111);
  EXPECT_EQ(pool.used_bytes(), 3 * pool.page_bytes());
  second_marks.push_back(2222);
  Write(&second, 2222);
  EXPECT_EQ(pool.used_bytes(), 4 * pool.page_bytes());
  EXPECT_EQ(std::as_const(first).key(0, 0), std::as_const(second).key(0, 0))
      << "full pages stay shared";
  marks.push_back(3333);
  Write(&parent, 3333);  // alone on its page again: no copy
  EXPECT_EQ(pool.used_bytes(), 4 * pool.page_bytes());
  ExpectMarks(parent, marks);
  ExpectMarks(first, first_marks);
  ExpectMarks(second, second_marks);
  parent.Clear();
  ExpectMarks(first, first_marks);
  EXPECT_EQ(pool.used_bytes(), 3 * pool.page_bytes());
}

TEST(KvCache, ForkAtAPageBoundaryCopiesNothing) {
  KvCachePool pool(kLayers, kHidden, 1 << 20);
  SelfCache parent(&pool);
  for (int t = 0; t < kPage; ++t) Write(&parent, static_cast<float>(t));
  SelfCache child = parent.Fork();
  Write(&child, 1);
  Write(&parent, 2);
  EXPECT_EQ(pool.used_bytes(), 3 * pool.page_bytes());
  EXPECT_EQ(std::as_const(child).key(0, 0), std::as_const(parent).key(0, 0));
}

TEST(KvCache, MovingLeavesAnEmptyCacheThatCanBeUsed) {
  KvCachePool pool(kLayers, kHidden, 1 << 20);
  SelfCache a(&pool);
  Write(&a, 5);
  SelfCache b = std::move(a);
  EXPECT_EQ(a.length(), 0);  // NOLINT: the state after a move is part of the contract
  ExpectMarks(b, {5});
  Write(&a, 6);
  a = std::move(b);
  ExpectMarks(a, {5});
  EXPECT_EQ(pool.used_bytes(), pool.page_bytes());
  SelfCache* self = &a;
  a = std::move(*self);
  ExpectMarks(a, {5});
  std::swap(a, b);
  ExpectMarks(b, {5});
}

TEST(KvCache, RandomFamiliesKeepTheirContents) {
  KvCachePool pool(kLayers, kHidden, 1 << 20);
  {
    std::mt19937 random(11);
    std::vector<SelfCache> caches;
    std::vector<std::vector<float>> marks;
    caches.emplace_back(&pool);
    marks.emplace_back();
    for (int step = 0; step < 3000; ++step) {
      const size_t i = random() % caches.size();
      switch (random() % 8) {
        case 0:
          if (caches.size() < 12) {
            caches.push_back(caches[i].Fork());
            marks.push_back(marks[i]);
          }
          break;
        case 1:
          if (caches.size() > 1) {
            caches.erase(caches.begin() + static_cast<int64_t>(i));
            marks.erase(marks.begin() + static_cast<int64_t>(i));
          }
          break;
        default:
          if (marks[i].size() == 100) {
            caches[i].Clear();
            marks[i].clear();
          }
          marks[i].push_back(static_cast<float>(random() % 1000));
          Write(&caches[i], marks[i].back());
      }
      if (step % 50 == 0) {
        for (size_t c = 0; c < caches.size(); ++c) ExpectMarks(caches[c], marks[c]);
      }
    }
    for (size_t c = 0; c < caches.size(); ++c) ExpectMarks(caches[c], marks[c]);
  }
  EXPECT_EQ(pool.used_bytes(), 0);
}

TEST(KvCache, FreedPagesAreUsedAgainAndTrimmed) {
  KvCachePool pool(kLayers, kHidden, 1 << 20);
  const float* before = nullptr;
  {
    SelfCache cache(&pool);
    Write(&cache, 1);
    before = std::as_const(cache).key(0, 0);
  }
  {
    SelfCache cache(&pool);
    Write(&cache, 1);
    EXPECT_EQ(std::as_const(cache).key(0, 0), before);
  }
  pool.Trim(pool.page_bytes());  // keeps the one page
  {
    SelfCache cache(&pool);
    Write(&cache, 1);
    EXPECT_EQ(std::as_const(cache).key(0, 0), before);
  }
  pool.Trim(0);
  SelfCache cache(&pool);
  Write(&cache, 2);
  ExpectMarks(cache, {2});
  EXPECT_EQ(pool.used_bytes(), pool.page_bytes());
}

TEST(KvCache, CrossBytesCountToo) {
  KvCachePool pool(kLayers, kHidden, 1000);
  pool.AddCrossBytes(300);
  EXPECT_EQ(pool.used_bytes(), 300);
  pool.AddCrossBytes(-300);
  EXPECT_EQ(pool.used_bytes(), 0);
  EXPECT_EQ(pool.capacity_bytes(), 1000);
  SelfCache cache(&pool);
  Write(&cache, 1);  // above capacity is still given
  EXPECT_GT(pool.used_bytes(), pool.capacity_bytes());
}

}  // namespace
}  // namespace attend
