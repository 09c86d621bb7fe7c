// One mutex over the computations on their way. It is held while one is pushed to the loop (which
// calls nobody back), so that a computation is in the table before it can end and is never there
// without running; it is let go before anyone who waits is called.
//
// Deltas are handed out by the loop's thread alone, which marks those it is calling as busy:
// whoever wants to end such a one leaves its status with it, and the loop's thread ends it
// afterwards.
#include "engine/scheduler/merged_requests.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "engine/base/call_errors.h"
#include "engine/base/status_macros.h"
#include "engine/scheduler/request_queue.h"  // MonotonicNow
#include "engine/scheduler/response_key.h"   // ResponseKeyHash

namespace attend {
namespace {

// The watcher looks around at least this often: what waits for a time far away need not be exact.
constexpr absl::Duration kLongestSleep = absl::Hours(1);
// What a follower takes beside its text and options, whose size is that of the key.
constexpr size_t kFollowerBytes = 512;

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

struct Computation {
  std::string key;
  MonotonicTime started;
  std::vector<int32_t> settled;
  std::list<Waiter> waiters;
  CancelFlag stop = std::make_shared<std::atomic<bool>>(false);
  CancelFlag expired = std::make_shared<std::atomic<bool>>(false);
};

absl::Status WhyNotWanted(const Waiter& waiter, absl::Time now, size_t tokens_done) {
  if (waiter.cancelled != nullptr && waiter.cancelled->load())
    return absl::CancelledError("the caller cancelled");
  if (waiter.deadline <= now) return DeadlinePassed(static_cast<int64_t>(tokens_done));
  return absl::OkStatus();
}

// The part of a computation's times that lies after `late`, counted from its start.
SequenceStats StatsOfFollower(SequenceStats stats, absl::Duration late) {
  stats.time_to_first_token = std::max(stats.time_to_first_token - late, absl::ZeroDuration());
  for (absl::Duration* phase : {&stats.queue, &stats.encode, &stats.decode}) {
    const absl::Duration missed = std::min(*phase, late);
    *phase -= missed;
    late -= missed;
  }
  stats.computed_tokens = 0;
  stats.origin = ResponseOrigin::kMerged;
  return stats;
}

void End(Waiter* waiter, GenerationResult result) {
  if (waiter->on_done) waiter->on_done(std::move(result));
}

void End(Waiter* waiter, absl::Status status) {
  GenerationResult result;
  result.status = std::move(status);
  result.stats.queue = Elapsed(waiter->joined, MonotonicNow());
  result.stats.input_tokens = waiter->input_tokens;
  End(waiter, std::move(result));
}

}  // namespace

struct MergedRequests::State : std::enable_shared_from_this<State> {
  State(int64_t max_bytes, LoopDoor l,
        std::function<void(const std::string&, const GenerationResult&)> r)
      : max_follower_bytes(max_bytes), loop(std::move(l)), on_result(std::move(r)) {}

  const int64_t max_follower_bytes;
  const LoopDoor loop;
  const std::function<void(const std::string&, const GenerationResult&)> on_result;

  std::mutex mutex;
  // All below under mutex.
  // Those that run and that somebody waits for.
  std::unordered_map<std::string, std::shared_ptr<Computation>, ResponseKeyHash> computations;
  int64_t follower_bytes = 0;
  absl::Time next_deadline = absl::InfiniteFuture();  // no waiter's is before it
  bool woken = false, stopped = false;
  std::condition_variable changed;

  std::thread watcher;

  // REQUIRES of all these: mutex is held.
  absl::Status Begin(const std::string& key, GenerationRequest* request);
  bool TryFollow(Computation* computation, GenerationRequest* request);
  void Join(Computation* computation, GenerationRequest* request, int64_t bytes);
  // Takes out someone who leaves before the end; true when nobody is left and the computation was
  // told to stop, which the loop must then be woken for.
  bool Leave(Computation* computation, std::list<Waiter>::iterator waiter,
             std::list<Waiter>* leaving);
  void Forget(const Computation& computation);
  // Moves those who leave to `leaving`, with their status; true when a computation was told to
  // stop.
  bool FindLeaving(std::list<Waiter>* leaving);

  // The loop's thread.
  void OnSettled(Computation* computation, absl::Span<const int32_t> tokens);
  void OnDone(Computation* computation, GenerationResult result);
  // The watcher's thread.
  void Watch();
};

absl::Status MergedRequests::State::Begin(const std::string& key, GenerationRequest* request) {
  auto computation = std::make_shared<Computation>();
  computation->key = key;
  computation->started = MonotonicNow();
  auto carrier = std::make_shared<GenerationRequest>();
  carrier->source_ids = request->source_ids;
  carrier->options = request->options;
  carrier->caller = request->caller;
  carrier->cancelled = computation->stop;
  carrier->expired = computation->expired;
  carrier->on_settled = [self = shared_from_this(), computation](absl::Span<const int32_t> tokens) {
    self->OnSettled(computation.get(), tokens);
  };
  carrier->on_done = [self = shared_from_this(), computation](GenerationResult result) {
    self->OnDone(computation.get(), std::move(result));
  };
  ATTEND_RETURN_IF_ERROR(loop.submit(std::move(carrier)));
  Join(computation.get(), request, /*bytes=*/0);
  computations.emplace(computation->key, computation);
  return absl::OkStatus();
}

bool MergedRequests::State::TryFollow(Computation* computation, GenerationRequest* request) {
  const auto bytes = static_cast<int64_t>(computation->key.size() + kFollowerBytes);
  if (follower_bytes + bytes > max_follower_bytes) return false;
  Join(computation, request, bytes);
  follower_bytes += bytes;
  return true;
}

void MergedRequests::State::Join(Computation* computation, GenerationRequest* request,
                                 int64_t bytes) {
  Waiter waiter;
  waiter.deadline = request->deadline;
  waiter.cancelled = std::move(request->cancelled);
  waiter.on_settled = std::move(request->on_settled);
  waiter.on_done = std::move(request->on_done);
  waiter.input_tokens = static_cast<int>(request->source_ids.size());
  waiter.joined = MonotonicNow();
  waiter.bytes = bytes;
  computation->waiters.push_back(std::move(waiter));
  if (request->deadline < next_deadline) {
    next_deadline = request->deadline;
    changed.notify_one();
  }
}

bool MergedRequests::State::Leave(Computation* computation, std::list<Waiter>::iterator waiter,
                                  std::list<Waiter>* leaving) {
  follower_bytes -= waiter->bytes;
  const bool is_late = absl::IsDeadlineExceeded(*waiter->end);
  leaving->splice(leaving->end(), computation->waiters, waiter);
  if (!computation->waiters.empty()) return false;
  computation->expired->store(is_late);
  computation->stop->store(true);
  return true;
}

// An equal one may have begun since this one was given up.
void MergedRequests::State::Forget(const Computation& computation) {
  const auto found = computations.find(computation.key);
  if (found != computations.end() && found->second.get() == &computation) computations.erase(found);
}

void MergedRequests::State::OnSettled(Computation* computation, absl::Span<const int32_t> tokens) {
  std::vector<int32_t>& settled = computation->settled;
  std::vector<Waiter*> listeners;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    settled.insert(settled.end(), tokens.begin(), tokens.end());
    for (Waiter& waiter : computation->waiters) {
      if (!waiter.on_settled) continue;
      waiter.busy = true;
      listeners.push_back(&waiter);
    }
  }
  if (listeners.empty()) return;
  // Only this thread changes `settled`. Who joined late gets all there is so far.
  for (Waiter* waiter : listeners) {
    if (waiter->num_settled == settled.size()) continue;
    waiter->on_settled(absl::MakeConstSpan(settled).subspan(waiter->num_settled));
    waiter->num_settled = settled.size();
  }
  std::list<Waiter> leaving;
  bool given_up = false;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    for (Waiter* waiter : listeners) waiter->busy = false;
    for (auto next = computation->waiters.begin(); next != computation->waiters.end();) {
      const auto waiter = next++;
      if (waiter->end) given_up = Leave(computation, waiter, &leaving);
    }
    if (given_up) Forget(*computation);
  }
  if (given_up) loop.wake();
  for (Waiter& waiter : leaving) End(&waiter, *std::move(waiter.end));
}

void MergedRequests::State::OnDone(Computation* computation, GenerationResult result) {
  if (on_result) on_result(computation->key, result);
  std::list<Waiter> waiters;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    Forget(*computation);
    waiters.swap(computation->waiters);
    for (const Waiter& waiter : waiters) follower_bytes -= waiter.bytes;
  }
  const SequenceStats stats = result.stats;
  while (!waiters.empty()) {
    Waiter waiter = std::move(waiters.front());
    waiters.pop_front();
    GenerationResult own = waiters.empty() ? std::move(result) : result;
    if (waiter.bytes > 0) {
      own.stats = StatsOfFollower(stats, Elapsed(computation->started, waiter.joined));
    }
    End(&waiter, std::move(own));
  }
}

bool MergedRequests::State::FindLeaving(std::list<Waiter>* leaving) {
  const absl::Time now = absl::Now();
  bool any_given_up = false;
  next_deadline = absl::InfiniteFuture();
  for (auto entry = computations.begin(); entry != computations.end();) {
    Computation* computation = entry->second.get();
    bool given_up = false;
    for (auto next = computation->waiters.begin(); next != computation->waiters.end();) {
      const auto waiter = next++;
      if (waiter->end) continue;  // the loop's thread is about to end it
      absl::Status why = WhyNotWanted(*waiter, now, computation->settled.size());
      if (why.ok()) {
        next_deadline = std::min(next_deadline, waiter->deadline);
        continue;
      }
      waiter->end = std::move(why);
      if (!waiter->busy) given_up = Leave(computation, waiter, leaving);
    }
    entry = given_up ? computations.erase(entry) : std::next(entry);
    any_given_up = any_given_up || given_up;
  }
  return any_given_up;
}

void MergedRequests::State::Watch() {
  std::unique_lock<std::mutex> lock(mutex);
  while (true) {
    const absl::Time until = std::min(next_deadline, absl::Now() + kLongestSleep);
    changed.wait_until(lock, absl::ToChronoTime(until),
                       [&] { return stopped || woken || next_deadline < until; });
    if (stopped) return;
    woken = false;
    std::list<Waiter> leaving;
    const bool given_up = FindLeaving(&leaving);
    lock.unlock();
    // Before those who wait: the last of them may be all that keeps the loop.
    if (given_up) loop.wake();
    for (Waiter& waiter : leaving) End(&waiter, *std::move(waiter.end));
    leaving.clear();
    lock.lock();
  }
}

MergedRequests::MergedRequests(
    int64_t max_follower_bytes, LoopDoor loop,
    std::function<void(const std::string& key, const GenerationResult& result)> on_result)
    : state_(std::make_shared<State>(max_follower_bytes, std::move(loop), std::move(on_result))) {
  state_->watcher = std::thread([state = state_.get()] { state->Watch(); });
}

MergedRequests::~MergedRequests() {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stopped = true;
  }
  state_->changed.notify_one();
  state_->watcher.join();
}

absl::StatusOr<MergedRequests::Part> MergedRequests::Submit(const std::string& key,
                                                            GenerationRequest* request) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  const auto found = state_->computations.find(key);
  if (found == state_->computations.end()) {
    ATTEND_RETURN_IF_ERROR(state_->Begin(key, request));
    return Part::kFirst;
  }
  return state_->TryFollow(found->second.get(), request) ? Part::kFollower : Part::kNone;
}

void MergedRequests::Wake() {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->woken = true;
  }
  state_->changed.notify_one();
}

}  // namespace attend
