// Leases come out of one sum and go back to it.
#include "engine/tasks/byte_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/error.h"

namespace attend {
namespace {

TEST(ByteBudget, LeasesAreGivenBack) {
  ByteBudget budget(100);
  auto first = budget.Take(60);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(budget.used(), 60);
  const absl::Status refused = budget.Take(41).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorDetail(refused)->reason, "MEMORY_BUDGET");
  EXPECT_TRUE(GetErrorDetail(refused)->retry_after.has_value());
  auto second = budget.Take(40);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(budget.used(), 100);
  auto copy = *first;
  *first = nullptr;
  EXPECT_EQ(budget.used(), 100);  // the copy still holds it
  copy = nullptr;
  EXPECT_EQ(budget.used(), 40);
}

TEST(ByteBudget, MoreThanThereEverIsHasNoRetryDelay) {
  ByteBudget budget(100);
  EXPECT_FALSE(GetErrorDetail(budget.Take(101).status())->retry_after.has_value());
}

TEST(ByteBudget, ALeaseMayOutliveItsBudget) {
  std::optional<ByteBudget> budget(std::in_place, 10);
  const auto lease = budget->Take(10);
  budget.reset();
  EXPECT_TRUE(lease.ok());
}

TEST(ByteBudget, ThreadsNeverExceedIt) {
  ByteBudget budget(3);
  std::atomic<int> holders{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        const auto lease = budget.Take(1);
        if (!lease.ok()) continue;
        const int now = ++holders;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --holders;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(most.load(), 1);
  EXPECT_LE(most.load(), 3);
  EXPECT_EQ(budget.used(), 0);
}

}  // namespace
}  // namespace attend
