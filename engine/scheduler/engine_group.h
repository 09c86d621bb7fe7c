// The engine loops that serve one model together. They share its weights, which are immutable;
// queue and cache are divided between them, so that the whole group waits and remembers no more
// than one loop would. A request goes to the loop with the least work outstanding, stays there, and
// gives the same bits on every one. Fairness between callers, admission and deadlines are each
// loop's own.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/models/model.h"
#include "engine/scheduler/engine_loop.h"
#include "engine/scheduler/engine_observer.h"
#include "engine/scheduler/generation_request.h"

namespace attend {

class EngineGroup {
 public:
  // Starts options.num_engines loops. `model` and `observer` (may be null) are borrowed and outlive
  // the group. With several loops the observer is called on all their threads, at the same time
  // too; only OnLoad, which then tells the sums of all loops, by one at a time.
  EngineGroup(const Model* model, const SchedulerOptions& options, EngineObserver* observer);
  // Cancels what is left (UNAVAILABLE / SHUTTING_DOWN) and joins all threads.
  ~EngineGroup();
  EngineGroup(const EngineGroup&) = delete;
  EngineGroup& operator=(const EngineGroup&) = delete;

  // As EngineLoop's. Submit says QUEUE_FULL when no loop has room, with the shortest of their retry
  // times. MEMORY_BUDGET is for what cannot fit into one loop's share of the cache.
  absl::Status Submit(std::shared_ptr<GenerationRequest> request);
  void Wake();
  void Drain(absl::Duration timeout);
  absl::Duration SinceLastTick() const;   // of the loop that has been silent longest
  int64_t queue_capacity_tokens() const;  // of all loops

  // One loop, for what all must do once (warming up). REQUIRES: 0 <= i < num_engines().
  int num_engines() const { return static_cast<int>(loops_.size()); }
  EngineLoop* engine(int i) { return loops_[static_cast<size_t>(i)].get(); }

 private:
  class LoadSum;

  std::unique_ptr<LoadSum> load_sum_;  // null with one loop
  std::vector<std::unique_ptr<EngineObserver>> observers_;
  std::vector<std::unique_ptr<EngineLoop>> loops_;  // last: they borrow the others
};

}  // namespace attend
