// One queue, first come first served, and beside it the timed work by due time.
#include "engine/tasks/work_queue.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "engine/base/check.h"

namespace attend {

struct WorkQueue::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> ready;                 // guarded by mutex
  std::multimap<absl::Time, std::function<void()>> timed;  // guarded by mutex
  bool stopping = false;                                   // guarded by mutex
  int running = 0;                                         // guarded by mutex: threads inside work
  std::vector<std::thread> threads;

  // The next piece of work, waiting for it; empty when stopping and nothing can come any more.
  std::function<void()> Next() {
    std::unique_lock<std::mutex> lock(mutex);
    while (true) {
      const absl::Time now = absl::Now();
      while (!timed.empty() && (stopping || timed.begin()->first <= now)) {
        ready.push_back(std::move(timed.begin()->second));
        timed.erase(timed.begin());
      }
      if (!ready.empty()) {
        std::function<void()> work = std::move(ready.front());
        ready.pop_front();
        ++running;
        return work;
      }
      if (stopping && running == 0) return nullptr;
      if (timed.empty()) {
        changed.wait(lock);
      } else {
        changed.wait_until(lock, absl::ToChronoTime(timed.begin()->first));
      }
    }
  }

  void Run() {
    while (std::function<void()> work = Next()) {
      work();
      work = nullptr;  // what it owned goes before the thread counts as idle
      const std::lock_guard<std::mutex> lock(mutex);
      --running;
      if (stopping) changed.notify_all();
    }
  }
};

WorkQueue::WorkQueue(int num_threads) : state_(std::make_unique<State>()) {
  ATTEND_CHECK(num_threads >= 1, "work needs a thread");
  for (int i = 0; i < num_threads; ++i)
    state_->threads.emplace_back([state = state_.get()] { state->Run(); });
}

WorkQueue::~WorkQueue() {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  for (std::thread& thread : state_->threads) thread.join();
}

void WorkQueue::Post(std::function<void()> work) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->ready.push_back(std::move(work));
  state_->changed.notify_one();
}

void WorkQueue::PostAfter(absl::Duration delay, std::function<void()> work) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->timed.emplace(absl::Now() + delay, std::move(work));
  state_->changed.notify_one();
}

}  // namespace attend
