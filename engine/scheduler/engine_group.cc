// Loads change while they are compared, so two requests that come at the same moment may choose the
// same loop; the next ones make up for it.
#include "engine/scheduler/engine_group.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/base/error.h"
#include "engine/scheduler/request_queue.h"  // MonotonicTime

namespace attend {
namespace {

// Nothing unless the status says that the queue is full.
std::optional<absl::Duration> RetryTimeOfFullQueue(const absl::Status& status) {
  const auto detail = GetErrorDetail(status);
  if (!detail.has_value() || detail->reason != "QUEUE_FULL") return std::nullopt;
  return detail->retry_after.value_or(absl::InfiniteDuration());
}

SchedulerOptions ShareOf(const SchedulerOptions& all, int num_engines) {
  SchedulerOptions share = all;
  share.queue_capacity_tokens = (all.queue_capacity_tokens + num_engines - 1) / num_engines;
  share.kv_cache_bytes = all.kv_cache_bytes / num_engines;
  return share;
}

}  // namespace

// Gauges know one number a model: every loop's last words are kept and their sum is told.
class EngineGroup::LoadSum {
 public:
  LoadSum(size_t num_loops, EngineObserver* observer) : observer_(observer), loads_(num_loops) {}

  EngineObserver* observer() const { return observer_; }

  void Tell(size_t loop, const LoadStats& load) {
    const std::lock_guard<std::mutex> lock(mutex_);
    loads_[loop] = load;
    LoadStats sum;
    for (const LoadStats& one : loads_) {
      sum.queue_sequences += one.queue_sequences;
      sum.queue_tokens += one.queue_tokens;
      sum.queue_oldest = std::max(sum.queue_oldest, one.queue_oldest);
      sum.active_sequences += one.active_sequences;
      sum.kv_cache_bytes += one.kv_cache_bytes;
    }
    observer_->OnLoad(sum);
  }

 private:
  EngineObserver* const observer_;
  std::mutex mutex_;
  std::vector<LoadStats> loads_;  // under mutex_
};

namespace {

// What one of several loops tells: all but its load goes straight on.
template <typename LoadSum>
class LoopObserver final : public EngineObserver {
 public:
  LoopObserver(size_t loop, LoadSum* sum) : loop_(loop), sum_(sum), observer_(sum->observer()) {}
  void OnStep(const StepStats& step) override { observer_->OnStep(step); }
  void OnLoad(const LoadStats& load) override { sum_->Tell(loop_, load); }
  void OnQueueWait(absl::Duration wait) override { observer_->OnQueueWait(wait); }
  void OnFirstToken(absl::Duration since) override { observer_->OnFirstToken(since); }
  void OnCancelled(CancelCause cause, CancelStage stage, int64_t wasted) override {
    observer_->OnCancelled(cause, stage, wasted);
  }

 private:
  const size_t loop_;
  LoadSum* const sum_;
  EngineObserver* const observer_;
};

}  // namespace

EngineGroup::EngineGroup(const Model* model, const SchedulerOptions& options,
                         EngineObserver* observer) {
  const int num_engines = std::max(1, options.num_engines);
  const SchedulerOptions share = ShareOf(options, num_engines);
  const bool sums = observer != nullptr && num_engines > 1;
  if (sums) load_sum_ = std::make_unique<LoadSum>(static_cast<size_t>(num_engines), observer);
  for (int i = 0; i < num_engines; ++i) {
    EngineObserver* own = observer;
    if (sums) {
      observers_.push_back(
          std::make_unique<LoopObserver<LoadSum>>(static_cast<size_t>(i), load_sum_.get()));
      own = observers_.back().get();
    }
    loops_.push_back(std::make_unique<EngineLoop>(model, share, own));
  }
}

// All threads end before any loop goes: a callback on one loop's thread may submit to another.
EngineGroup::~EngineGroup() {
  for (const auto& loop : loops_) loop->Close();
  for (const auto& loop : loops_) loop->Stop();
}

absl::Status EngineGroup::Submit(std::shared_ptr<GenerationRequest> request) {
  if (loops_.size() == 1) return loops_[0]->Submit(std::move(request));
  std::vector<std::pair<int64_t, EngineLoop*>> by_work;
  by_work.reserve(loops_.size());
  for (const auto& loop : loops_) by_work.emplace_back(loop->outstanding_work(), loop.get());
  std::stable_sort(by_work.begin(), by_work.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  absl::Status soonest;
  std::optional<absl::Duration> soonest_retry;
  for (const auto& [work, loop] : by_work) {
    absl::Status status = loop->Submit(request);
    const auto retry = RetryTimeOfFullQueue(status);
    if (!retry.has_value()) return status;
    if (!soonest_retry.has_value() || *retry < *soonest_retry) {
      soonest = std::move(status);
      soonest_retry = retry;
    }
  }
  return soonest;
}

void EngineGroup::Wake() {
  for (const auto& loop : loops_) loop->Wake();
}

void EngineGroup::Drain(absl::Duration timeout) {
  const MonotonicTime start = MonotonicNow();
  for (const auto& loop : loops_) loop->Close();
  for (const auto& loop : loops_) loop->Drain(timeout - Elapsed(start, MonotonicNow()));
}

absl::Duration EngineGroup::SinceLastTick() const {
  absl::Duration longest = absl::ZeroDuration();
  for (const auto& loop : loops_) longest = std::max(longest, loop->SinceLastTick());
  return longest;
}

int64_t EngineGroup::queue_capacity_tokens() const {
  int64_t sum = 0;
  for (const auto& loop : loops_) sum += loop->queue_capacity_tokens();
  return sum;
}

}  // namespace attend
