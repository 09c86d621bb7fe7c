// A mutex, two condition variables and counts. std:: primitives rather than Abseil's, so that
// ThreadSanitizer, which the distribution's Abseil was not built with, sees every hand-over.
#include "engine/scheduler/request_queue.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/call_errors.h"
#include "engine/base/error.h"

namespace attend {
namespace {

// How fast the past is forgotten when judging throughput.
constexpr double kMemorySeconds = 5.0;

}  // namespace

RequestQueue::RequestQueue(int64_t capacity_tokens)
    : capacity_tokens_(std::max<int64_t>(1, capacity_tokens)) {}

// Time until half of the queue is free, if tokens go on being taken as of late: whoever comes back
// when just one place is free meets all the others who were told the same. So that they do not all
// come back at once either, every answer is a little different.
absl::Duration RequestQueue::EstimateWait() {
  double seconds = 1.0;
  if (recent_tokens_ > 0 && recent_seconds_ > 0) {
    const double excess =
        static_cast<double>(waiting_tokens_) - static_cast<double>(capacity_tokens_) / 2;
    seconds = excess * recent_seconds_ / recent_tokens_;
  }
  constexpr double kGoldenRatio = 0.6180339887498949;
  spread_ = std::fmod(spread_ + kGoldenRatio, 1.0);
  return absl::Seconds(std::clamp(seconds, 0.1, 30.0) * (0.8 + 0.4 * spread_));
}

absl::Status RequestQueue::Push(std::shared_ptr<GenerationRequest> request, int64_t tokens) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return ShuttingDown("model");
    if (waiting_tokens_ > 0 && waiting_tokens_ + tokens > capacity_tokens_) {
      ErrorDetail detail;
      detail.reason = "QUEUE_FULL";
      detail.metadata = {{"waiting_tokens", absl::StrCat(waiting_tokens_)},
                         {"capacity_tokens", absl::StrCat(capacity_tokens_)}};
      detail.retry_after = EstimateWait();
      return MakeError(absl::StatusCode::kResourceExhausted,
                       absl::StrCat("the queue is full: ", waiting_tokens_, " of ",
                                    capacity_tokens_, " tokens wait"),
                       std::move(detail));
    }
    arrivals_.push_back({std::move(request), tokens, MonotonicNow()});  // first: it may throw
    if (waiting_tokens_ == 0) busy_since_ = MonotonicNow();
    waiting_tokens_ += tokens;
    ++num_unanswered_;
  }
  work_.notify_one();
  return absl::OkStatus();
}

void RequestQueue::Wake() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    woken_ = true;
  }
  work_.notify_one();
}

void RequestQueue::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

void RequestQueue::Abort() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = aborted_ = true;
  }
  work_.notify_one();
}

void RequestQueue::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = stopped_ = true;
  }
  work_.notify_one();
}

bool RequestQueue::WaitUntilDone(absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto done = [this] { return num_unanswered_ == 0; };
  // A year stands for ever: adding an infinite duration to a time point would overflow.
  const absl::Duration bounded = std::clamp(timeout, absl::ZeroDuration(), absl::Hours(24 * 365));
  return done_.wait_until(lock, MonotonicNow() + absl::ToChronoNanoseconds(bounded), done);
}

RequestQueue::Notices RequestQueue::Take(bool may_sleep) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (may_sleep) {
    work_.wait(lock, [this] {
      return !arrivals_.empty() || woken_ || stopped_ || (aborted_ && num_unanswered_ > 0);
    });
  }
  Notices notices;
  notices.arrivals.swap(arrivals_);
  notices.woken = std::exchange(woken_, false);
  notices.aborted = aborted_;
  notices.stopped = stopped_;
  return notices;
}

void RequestQueue::Release(int64_t tokens) {
  std::lock_guard<std::mutex> lock(mutex_);
  const MonotonicTime now = MonotonicNow();
  const double seconds = absl::ToDoubleSeconds(Elapsed(busy_since_, now));
  const double keep = std::exp(-seconds / kMemorySeconds);
  recent_tokens_ = recent_tokens_ * keep + static_cast<double>(tokens);
  recent_seconds_ = recent_seconds_ * keep + seconds;
  busy_since_ = now;
  waiting_tokens_ -= tokens;
}

void RequestQueue::MarkDone() {
  bool all_done = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    all_done = --num_unanswered_ == 0;
  }
  if (all_done) done_.notify_all();
}

int64_t RequestQueue::waiting_tokens() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return waiting_tokens_;
}

}  // namespace attend
