// Order, timing and the end of a work queue.
#include "engine/tasks/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

#include "absl/time/clock.h"

namespace attend {
namespace {

TEST(WorkQueue, OneThreadKeepsOrder) {
  std::vector<int> seen;
  {
    WorkQueue queue(1);
    for (int i = 0; i < 100; ++i) queue.Post([&seen, i] { seen.push_back(i); });
  }
  ASSERT_EQ(seen.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

TEST(WorkQueue, TimedWorkWaits) {
  WorkQueue queue(2);
  std::promise<void> late, soon;
  std::future<void> is_late = late.get_future();
  const absl::Time begin = absl::Now();
  queue.PostAfter(absl::Milliseconds(50), [&] { late.set_value(); });
  queue.Post([&] { soon.set_value(); });
  soon.get_future().wait();
  EXPECT_EQ(is_late.wait_until(std::chrono::system_clock::now()), std::future_status::timeout);
  is_late.wait();
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(50));
}

TEST(WorkQueue, DestructionRunsWhatIsLeftAndWhatItPosts) {
  std::atomic<int> count{0};
  const absl::Time begin = absl::Now();
  {
    WorkQueue queue(3);
    queue.PostAfter(absl::Hours(1), [&] {
      ++count;
      queue.Post([&] {
        ++count;
        queue.PostAfter(absl::Hours(1), [&] { ++count; });
      });
    });
  }
  EXPECT_EQ(count.load(), 3);
  EXPECT_LT(absl::Now() - begin, absl::Minutes(1));
}

}  // namespace
}  // namespace attend
