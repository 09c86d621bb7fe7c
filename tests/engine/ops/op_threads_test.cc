// The split of a loop over threads covers everything exactly once.
#include "engine/ops/op_threads.h"

#include <gtest/gtest.h>

#include <atomic>
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
