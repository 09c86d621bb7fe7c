// The door between the asking threads and the engine loop. Bounded by source tokens, because these,
// not requests, are what waiting costs. Tokens count from Push until the loop says Release
// (admitted or dropped), so everything that waits is counted wherever it waits. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/scheduler/generation_request.h"

namespace attend {

using MonotonicTime = std::chrono::steady_clock::time_point;
inline MonotonicTime MonotonicNow() { return std::chrono::steady_clock::now(); }
inline absl::Duration Elapsed(MonotonicTime from, MonotonicTime to) {
  return absl::FromChrono(to - from);
}

struct Arrival {
  std::shared_ptr<GenerationRequest> request;
  int64_t tokens = 0;
  MonotonicTime submitted;
};

class RequestQueue {
 public:
  explicit RequestQueue(int64_t capacity_tokens);

  // ---- Any thread. ----
  // RESOURCE_EXHAUSTED / QUEUE_FULL with retry_after (from how fast waiting tokens were taken of
  // late); UNAVAILABLE / SHUTTING_DOWN once closed. A request larger than the whole queue is taken
  // when nothing waits. Throws std::bad_alloc, and has done nothing then.
  absl::Status Push(std::shared_ptr<GenerationRequest> request, int64_t tokens);
  // Ends the loop's sleep, and makes it look at what waits.
  void Wake();
  // From now on Push refuses. What was accepted is served.
  void Close();
  // Asks the loop to drop what was accepted, too.
  void Abort();
  // Asks the loop to end once everything accepted is done.
  void Stop();
  // Whether everything accepted was done within the time.
  bool WaitUntilDone(absl::Duration timeout);
  int64_t capacity_tokens() const { return capacity_tokens_; }

  // ---- The loop's thread. ----
  struct Notices {
    std::vector<Arrival> arrivals;  // in order of arrival
    bool woken = false;             // Wake was called since the last Take
    bool aborted = false, stopped = false;
  };
  // What happened since the last call. Sleeps until something does when `may_sleep`.
  Notices Take(bool may_sleep);
  void Release(int64_t tokens);
  // One accepted request has been answered.
  void MarkDone();
  int64_t waiting_tokens() const;

 private:
  absl::Duration EstimateWait();

  const int64_t capacity_tokens_;
  mutable std::mutex mutex_;
  std::condition_variable work_, done_;
  // All below under mutex_.
  std::vector<Arrival> arrivals_;
  int64_t waiting_tokens_ = 0;
  int64_t num_unanswered_ = 0;
  bool woken_ = false, closed_ = false, aborted_ = false, stopped_ = false;
  // Tokens released and time spent with tokens waiting, both fading with age: their quotient is the
  // recent throughput.
  double recent_tokens_ = 0, recent_seconds_ = 0;
  MonotonicTime busy_since_;
  double spread_ = 0;  // of retry times, in [0, 1)
};

}  // namespace attend
