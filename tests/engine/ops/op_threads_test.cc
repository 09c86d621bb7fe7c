// The split of a loop over threads covers everything exactly once.
#include "engine/ops/op_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

namespace attend {
namespace {

TEST(ParallelFor, CoversEveryIndexOnce) {
  for (int threads : {1, 2, 3, 8}) {
    SetOpThreads(threads);
    for (int64_t n : {0, 1, 2, 3, 7, 8, 9, 100}) {
      for (int64_t grain : {1, 3, 50}) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
        std::atomic<int> pieces = 0;
        ParallelFor(n, grain, [&](int64_t begin, int64_t end) {
          ++pieces;
          EXPECT_TRUE(end - begin >= std::min(n, grain));
          for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
        });
        for (const auto& count : seen) EXPECT_EQ(count, 1);
        EXPECT_LE(pieces, threads);
      }
    }
  }
  SetOpThreads(1);
}

TEST(ParallelFor, ALoopInsideALoopStaysOnItsThread) {
  SetOpThreads(3);
  std::vector<int> inner_pieces(3, 0);
  ParallelFor(3, 1, [&](int64_t begin, int64_t) {
    EXPECT_EQ(OpThreads(), 1);
    const auto here = std::this_thread::get_id();
    ParallelFor(100, 1, [&](int64_t b, int64_t e) {
      EXPECT_EQ(b, 0);
      EXPECT_EQ(e, 100);
      EXPECT_EQ(std::this_thread::get_id(), here);
      ++inner_pieces[static_cast<size_t>(begin)];
    });
  });
  EXPECT_EQ(inner_pieces, std::vector<int>(3, 1));
  EXPECT_EQ(OpThreads(), 3) << "outside it is as before";
  SetOpThreads(1);
}

TEST(ParallelFor, WhatABodyThrowsLeavesTheLoopUsable) {
  SetOpThreads(2);
  for (const int64_t thrower : {0, 1}) {
    EXPECT_THROW(ParallelFor(2, 1,
                             [&](int64_t begin, int64_t) {
                               if (begin == thrower) throw std::bad_alloc();
                             }),
                 std::bad_alloc);
    EXPECT_EQ(OpThreads(), 2);
    std::vector<int> seen(2, 0);
    ParallelFor(2, 1, [&](int64_t begin, int64_t) { seen[static_cast<size_t>(begin)] = 1; });
    EXPECT_EQ(seen, std::vector<int>(2, 1));
  }
  SetOpThreads(1);
}

// More threads than the machine has, in several threads at once, that change their mind and end.
TEST(ParallelFor, EachThreadHasItsOwnTeam) {
  std::vector<std::thread> owners;
  for (int owner = 0; owner < 4; ++owner) {
    owners.emplace_back([owner] {
      for (const int threads : {2, 5, 1, 3}) {
        SetOpThreads(threads);
        std::vector<int> out(64, -1);
        for (int round = 0; round < 50; ++round) {
          ParallelFor(64, 4, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) out[static_cast<size_t>(i)] = owner + round;
          });
          EXPECT_EQ(out, std::vector<int>(64, owner + round));
        }
      }
    });
  }
  for (std::thread& owner : owners) owner.join();
}

TEST(OpThreads, IsASettingOfEachThread) {
  SetOpThreads(3);
  EXPECT_EQ(OpThreads(), 3);
  std::thread([] {
    EXPECT_EQ(OpThreads(), 1);
    SetOpThreads(0);
    EXPECT_EQ(OpThreads(), 1);
  }).join();
  EXPECT_EQ(OpThreads(), 3);
  SetOpThreads(1);
}

}  // namespace
}  // namespace attend
