// A pump that is entered from the caller's thread first and from workers as requests end. It never
// holds its lock while it talks to the loop, whose callbacks take that lock.
#include "engine/tasks/request_group.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/call_errors.h"
#include "engine/base/error.h"
#include "engine/tasks/call_checks.h"

namespace attend {
namespace {

// How long a group that persists waits before it asks a full queue again.
constexpr absl::Duration kRetryInterval = absl::Milliseconds(20);

// Ends that concern the whole call, not one request.
bool EndsCall(const absl::Status& status) {
  return absl::IsCancelled(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsUnavailable(status);
}

bool IsQueueFull(const absl::Status& status) {
  const auto detail = GetErrorDetail(status);
  return detail.has_value() && detail->reason == "QUEUE_FULL";
}

class RunningGroup : public std::enable_shared_from_this<RunningGroup> {
 public:
  RunningGroup(const CallEnvironment& environment, RequestGroup group)
      : environment_(environment),
        group_(std::move(group)),
        window_tokens_(std::max<int64_t>(1, environment.model.loop->queue_capacity_tokens() / 2)),
        num_requests_(group_.requests.size()),
        results_(num_requests_) {}

  void Start() {
    for (size_t i = 0; i < num_requests_; ++i) {
      GenerationRequest& request = *group_.requests[i];
      request.deadline = environment_.context.deadline;
      request.cancelled = environment_.stop;
      request.caller = environment_.context.caller;
      const int64_t tokens = Tokens(request);
      request.on_done = [self = shared_from_this(), i, tokens](GenerationResult result) {
        self->OnDone(i, tokens, std::move(result));
      };
    }
    Pump(/*on_worker=*/false);
  }

 private:
  static int64_t Tokens(const GenerationRequest& request) {
    return static_cast<int64_t>(request.source_ids.size() + request.forced_target.size());
  }

  absl::Status Submit(std::shared_ptr<GenerationRequest> request) {
    const TaskModel& model = environment_.model;
    return model.sharing != nullptr ? model.sharing->Submit(std::move(request))
                                    : model.loop->Submit(std::move(request));
  }

  void Wake() {
    const TaskModel& model = environment_.model;
    model.loop->Wake();
    if (model.sharing != nullptr) model.sharing->Wake();
  }

  // Submits what the window has room for. Only one thread at a time is inside; a second one leaves
  // it more to do.
  void Pump(bool on_worker) {
    mutex_.lock();
    if (pumping_) {
      pump_again_ = true;
      mutex_.unlock();
      return;
    }
    pumping_ = true;
    do {
      pump_again_ = false;
      SubmitWhileRoom();
    } while (pump_again_);
    pumping_ = false;
    const bool finished = TakeFinish();
    const bool wake = std::exchange(wake_, false);
    mutex_.unlock();
    if (wake) Wake();
    if (!finished) return;
    // A call that was answered while it was being submitted is finished where all are.
    if (on_worker || !failure_.ok() || num_requests_ == 0) {
      Finish();
    } else {
      environment_.workers->Post([self = shared_from_this()] { self->Finish(); });
    }
  }

  // REQUIRES: mutex_ is held; it is let go while the loop is spoken to.
  void SubmitWhileRoom() {
    while (failure_.ok() && next_ < num_requests_) {
      const int64_t tokens = Tokens(*group_.requests[next_]);
      if (outstanding_ > 0 && outstanding_tokens_ + tokens > window_tokens_) return;
      std::shared_ptr<GenerationRequest> request = group_.requests[next_];
      ++next_;
      ++outstanding_;
      outstanding_tokens_ += tokens;
      mutex_.unlock();
      const absl::Status status = Submit(std::move(request));
      mutex_.lock();
      if (status.ok()) {
        group_.requests[next_ - 1].reset();  // the loop has it; its callback holds us
        continue;
      }
      --outstanding_;
      outstanding_tokens_ -= tokens;
      if (!EndsCall(status) && !IsQueueFull(status)) {  // this request alone cannot be had
        results_[next_ - 1].status = status;
        continue;
      }
      --next_;
      OnRefused(status);
      return;
    }
  }

  // REQUIRES: mutex_ is held.
  void OnRefused(const absl::Status& status) {
    const bool persist = group_.patience == GroupPatience::kPersist || completed_ > 0;
    if (!IsQueueFull(status) || !persist) {
      Fail(status);
      return;
    }
    if (outstanding_ > 0) return;  // tried again when one of ours ends
    const absl::Status wanted = CheckStillWanted(environment_);
    if (!wanted.ok()) {
      Fail(wanted);
    } else {
      environment_.workers->PostAfter(
          kRetryInterval, [self = shared_from_this()] { self->Pump(/*on_worker=*/true); });
    }
  }

  // REQUIRES: mutex_ is held.
  void Fail(const absl::Status& status) {
    if (!failure_.ok()) return;
    failure_ = status;
    environment_.stop->store(true);
    if (outstanding_ > 0) wake_ = true;
  }

  void OnDone(size_t index, int64_t tokens, GenerationResult result) {
    try {
      if (group_.on_result) group_.on_result(index, result);
    } catch (const std::bad_alloc&) {
      result.status = OutOfMemory();
      result.hypotheses.clear();
    }
    const CancelFlag& caller = environment_.context.cancelled;
    if (caller != nullptr && caller->load()) environment_.stop->store(true);
    mutex_.lock();
    --outstanding_;
    outstanding_tokens_ -= tokens;
    // Only work counts, of whoever: a call that the cache began to answer may be refused.
    if (result.stats.origin != ResponseOrigin::kCached) ++completed_;
    tokens_done_ += result.stats.output_tokens;
    if (EndsCall(result.status)) Fail(result.status);
    results_[index] = std::move(result);
    const bool more = failure_.ok() && next_ < num_requests_;
    const bool last = outstanding_ == 0 && !more;
    bool post = more || last || wake_;
    if (post && pumping_) {  // whoever pumps sees to it, and may be who called us (a hit)
      pump_again_ = true;
      post = false;
    }
    mutex_.unlock();
    if (!post) return;
    // Neither submitting nor finishing is work for the loop's thread; but where there is no memory
    // to hand it on, better late for others than never for this call.
    try {
      environment_.workers->Post([self = shared_from_this()] { self->Pump(/*on_worker=*/true); });
    } catch (const std::bad_alloc&) {
      Pump(/*on_worker=*/true);
    }
  }

  // Whether the caller must call Finish: once, when nothing runs and nothing more will. REQUIRES:
  // mutex_ is held.
  bool TakeFinish() {
    if (finished_ || outstanding_ > 0 || (failure_.ok() && next_ < num_requests_)) return false;
    finished_ = true;
    return true;
  }

  void Finish() {
    absl::Status status = failure_;
    // What the loop saw of a deadline or a cancellation is told in the call's words.
    if (absl::IsDeadlineExceeded(status)) status = DeadlinePassed(tokens_done_);
    auto on_finished = std::move(group_.on_finished);
    group_.on_result = nullptr;
    group_.requests.clear();  // requests never submitted hold us through their callbacks
    on_finished(std::move(status), std::move(results_));
  }

  const CallEnvironment environment_;
  RequestGroup group_;
  const int64_t window_tokens_;
  // group_.requests is let go at the end, when a late Pump may still look.
  const size_t num_requests_;
  std::mutex mutex_;
  std::vector<GenerationResult> results_;
  absl::Status failure_;
  size_t next_ = 0;
  int outstanding_ = 0, completed_ = 0;
  int64_t outstanding_tokens_ = 0, tokens_done_ = 0;
  bool pumping_ = false, pump_again_ = false, wake_ = false, finished_ = false;
};

}  // namespace

void RunGroup(const CallEnvironment& environment, RequestGroup group) {
  std::make_shared<RunningGroup>(environment, std::move(group))->Start();
}

void AddUsage(const std::vector<GenerationResult>& results, bool forced, CallUsage* usage) {
  for (const GenerationResult& result : results) {
    const SequenceStats& stats = result.stats;
    if (result.status.ok()) {
      usage->cached_segments += stats.origin == ResponseOrigin::kCached ? 1 : 0;
      usage->merged_segments += stats.origin == ResponseOrigin::kMerged ? 1 : 0;
    }
    usage->queue = std::max(usage->queue, stats.queue);
    usage->peak_batch_items = std::max(usage->peak_batch_items, stats.peak_batch_sequences);
    if (forced) {
      usage->attention = std::max(usage->attention, stats.encode + stats.decode);
      continue;
    }
    usage->input_tokens += stats.input_tokens;
    usage->output_tokens += stats.output_tokens;
    usage->encode = std::max(usage->encode, stats.encode);
    usage->decode = std::max(usage->decode, stats.decode);
    usage->time_to_first_token = std::max(usage->time_to_first_token, stats.time_to_first_token);
  }
}

}  // namespace attend
