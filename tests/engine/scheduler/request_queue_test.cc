// The door: its bound, its refusals, its sleep.
#include "engine/scheduler/request_queue.h"

#include <thread>

#include "engine/base/error.h"
#include "gtest/gtest.h"

namespace attend {
namespace {

std::shared_ptr<GenerationRequest> Request() { return std::make_shared<GenerationRequest>(); }

TEST(RequestQueueTest, RefusesAboveItsTokensUntilTheyAreReleased) {
  RequestQueue queue(100);
  EXPECT_TRUE(queue.Push(Request(), 60).ok());
  EXPECT_TRUE(queue.Push(Request(), 40).ok());
  const absl::Status full = queue.Push(Request(), 1);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(GetErrorDetail(full).has_value());
  EXPECT_EQ(GetErrorDetail(full)->reason, "QUEUE_FULL");
  EXPECT_GT(GetErrorDetail(full)->retry_after.value_or(absl::ZeroDuration()), absl::ZeroDuration());
  EXPECT_EQ(queue.Take(false).arrivals.size(), 2u);
  EXPECT_FALSE(queue.Push(Request(), 1).ok());  // taken by the loop, but still waiting there
  queue.Release(60);
  EXPECT_TRUE(queue.Push(Request(), 60).ok());
  EXPECT_EQ(queue.waiting_tokens(), 100);
}

TEST(RequestQueueTest, TakesOneThatIsLargerThanItselfWhenNothingWaits) {
  RequestQueue queue(10);
  EXPECT_TRUE(queue.Push(Request(), 50).ok());
  EXPECT_FALSE(queue.Push(Request(), 1).ok());
}

TEST(RequestQueueTest, RetryAfterFollowsThroughput) {
  RequestQueue queue(1000);
  ASSERT_TRUE(queue.Push(Request(), 900).ok());
  const auto retry_after = [&] {
    return GetErrorDetail(queue.Push(Request(), 1000))->retry_after.value();
  };
  const absl::Duration first = retry_after(), second = retry_after();
  for (const absl::Duration about_a_second : {first, second}) {  // nothing is known yet
    EXPECT_GE(about_a_second, absl::Milliseconds(800));
    EXPECT_LE(about_a_second, absl::Milliseconds(1200));
  }
  EXPECT_NE(first, second);  // those who are refused together do not come back together
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  queue.Release(30);                                  // at most one token a millisecond
  EXPECT_GE(retry_after(), absl::Milliseconds(290));  // 370 tokens above half of the queue
  EXPECT_LE(retry_after(), absl::Seconds(36));
}

TEST(RequestQueueTest, ClosedQueueRefuses) {
  RequestQueue queue(10);
  queue.Close();
  const absl::Status status = queue.Push(Request(), 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(GetErrorDetail(status)->reason, "SHUTTING_DOWN");
}

TEST(RequestQueueTest, SleepEndsWithWorkAWakeOrAStop) {
  RequestQueue queue(10);
  std::thread pusher([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(queue.Push(Request(), 1).ok());
  });
  EXPECT_EQ(queue.Take(true).arrivals.size(), 1u);
  pusher.join();
  std::thread waker([&] { queue.Wake(); });
  EXPECT_TRUE(queue.Take(true).woken);
  waker.join();
  EXPECT_FALSE(queue.Take(false).woken);  // told once
  std::thread stopper([&] { queue.Stop(); });
  EXPECT_TRUE(queue.Take(true).stopped);
  stopper.join();
}

TEST(RequestQueueTest, WaitsUntilEverythingIsAnswered) {
  RequestQueue queue(10);
  EXPECT_TRUE(queue.WaitUntilDone(absl::ZeroDuration()));
  ASSERT_TRUE(queue.Push(Request(), 1).ok());
  EXPECT_FALSE(queue.WaitUntilDone(absl::Milliseconds(5)));
  EXPECT_FALSE(queue.WaitUntilDone(-absl::InfiniteDuration()));
  std::thread loop([&] { queue.MarkDone(); });
  EXPECT_TRUE(queue.WaitUntilDone(absl::InfiniteDuration()));
  loop.join();
}

}  // namespace
}  // namespace attend
