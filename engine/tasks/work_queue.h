// Threads that finish calls: folding, aligning and joining text happen here, off the engine loops.
#pragma once

#include <functional>
#include <memory>

#include "absl/time/time.h"

namespace attend {

class WorkQueue {
 public:
  // REQUIRES: num_threads >= 1.
  explicit WorkQueue(int num_threads);
  // Runs everything that is still waiting, timed work at once, then joins. Work may post more work
  // until then.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Any thread; never blocks. Work must not throw.
  void Post(std::function<void()> work);
  // Runs no sooner than after `delay`, unless the queue is being destroyed.
  void PostAfter(absl::Duration delay, std::function<void()> work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace attend
