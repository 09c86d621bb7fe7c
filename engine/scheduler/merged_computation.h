// The parts of merged_requests.cc: a computation, those who wait for it, and its places in the
// loop. Plain values under the lock of MergedRequests; not for others.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/base/call_errors.h"
#include "engine/scheduler/generation_request.h"
#include "engine/scheduler/request_queue.h"  // MonotonicTime

namespace attend {

// Someone who waits for a computation.
struct Waiter {
  absl::Time deadline;
  CancelFlag cancelled;
  std::function<void(absl::Span<const int32_t>)> on_settled;
  std::function<void(GenerationResult)> on_done;
  MonotonicTime joined;
  int input_tokens = 0;
  int64_t bytes = 0;                // of one who follows; 0: the first
  size_t num_settled = 0;           // tokens handed out
  bool busy = false;                // its on_settled may be running
  std::optional<absl::Status> end;  // what it ends with when it is busy no longer
};

// A request of ours in the loop's queue, then perhaps in its batch.
struct Place {
  uint64_t caller = 0;
  MonotonicTime submitted;
  CancelFlag stop = std::make_shared<std::atomic<bool>>(false);
  CancelReason reason = std::make_shared<std::atomic<CancelCause>>(CancelCause::kClient);

  void Stop(CancelCause cause) {
    reason->store(cause);
    stop->store(true);
  }
};

struct Computation {
  std::string key;
  std::vector<int32_t> settled;
  std::list<Waiter> waiters;
  std::vector<Place> places;      // one for each caller that came before it started
  std::optional<size_t> runs_at;  // the place that came first: only what it says counts
};

inline absl::Status WhyNotWanted(const Waiter& waiter, absl::Time now, size_t tokens_done) {
  if (waiter.cancelled != nullptr && waiter.cancelled->load())
    return absl::CancelledError("the caller cancelled");
  if (waiter.deadline <= now) return DeadlinePassed(static_cast<int64_t>(tokens_done));
  return absl::OkStatus();
}

// The times of a place as someone saw them who came `late` after it was taken; who came before
// waited longer.
inline SequenceStats StatsAsSeen(SequenceStats stats, absl::Duration late) {
  stats.time_to_first_token = std::max(stats.time_to_first_token - late, absl::ZeroDuration());
  for (absl::Duration* phase : {&stats.queue, &stats.encode, &stats.decode}) {
    const absl::Duration missed = std::min(*phase, late);
    *phase -= missed;
    late -= missed;
  }
  return stats;
}

inline void End(Waiter* waiter, GenerationResult result) {
  if (waiter->on_done) waiter->on_done(std::move(result));
}

inline void End(Waiter* waiter, absl::Status status) {
  GenerationResult result;
  result.status = std::move(status);
  result.stats.queue = Elapsed(waiter->joined, MonotonicNow());
  result.stats.input_tokens = waiter->input_tokens;
  End(waiter, std::move(result));
}

}  // namespace attend
