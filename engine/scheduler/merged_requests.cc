// One mutex over the computations on their way. It is held while one is pushed to the loop (which
// calls nobody back), so that a computation is in the table before it can end and is never there
// without running; it is let go before anyone who waits is called.
//
// A caller that comes while a computation still waits in the queue takes a place there of its own,
// or a short call would wait in the turns of a long one. The place that is admitted first runs, the
// others are given up; what they still say is passed over.
//
// Deltas are handed out by the loop's thread alone, which marks those it is calling as busy:
// whoever wants to end such a one leaves its status with it, and the loop's thread ends it
// afterwards.
#include "engine/scheduler/merged_requests.h"

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <list>
#include <mutex>
#include <new>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "engine/base/call_errors.h"
#include "engine/base/status_macros.h"
#include "engine/scheduler/merged_computation.h"
#include "engine/scheduler/response_key.h"  // ResponseKeyHash

namespace attend {
namespace {

// The watcher looks around at least this often: what waits for a time far away need not be exact.
constexpr absl::Duration kLongestSleep = absl::Hours(1);
// What a follower takes beside its text and options, whose size is that of the key.
constexpr size_t kFollowerBytes = 512;

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
  absl::Status Begin(const std::string& key, GenerationRequest* request, MonotonicTime now);
  bool TryFollow(const std::shared_ptr<Computation>& computation, GenerationRequest* request,
                 MonotonicTime now);
  absl::Status TakePlace(const std::shared_ptr<Computation>& computation,
                         const GenerationRequest& request, MonotonicTime now);
  void Join(Computation* computation, GenerationRequest* request, int64_t bytes, MonotonicTime now);
  // Takes out someone who leaves before the end; true when nobody is left and the computation was
  // told to stop, which the loop must then be woken for.
  bool Leave(Computation* computation, std::list<Waiter>::iterator waiter,
             std::list<Waiter>* leaving);
  void Forget(const Computation& computation);
  // Moves those who leave to `leaving`, with their status; true when a computation was told to
  // stop.
  bool FindLeaving(std::list<Waiter>* leaving);

  // Whether this place is the one that counts, which it becomes when none is.
  static bool Claim(Computation* computation, size_t place);
  // The loop's thread.
  void OnStarted(Computation* computation, size_t place);
  void OnSettled(Computation* computation, size_t place, absl::Span<const int32_t> tokens);
  void OnDone(Computation* computation, size_t place, GenerationResult result);
  // The watcher's thread.
  void Watch();
};

absl::Status MergedRequests::State::Begin(const std::string& key, GenerationRequest* request,
                                          MonotonicTime now) {
  auto computation = std::make_shared<Computation>();
  computation->key = key;
  ATTEND_RETURN_IF_ERROR(TakePlace(computation, *request, now));
  Join(computation.get(), request, /*bytes=*/0, now);
  computations.emplace(key, std::move(computation));
  return absl::OkStatus();
}

bool MergedRequests::State::TryFollow(const std::shared_ptr<Computation>& computation,
                                      GenerationRequest* request, MonotonicTime now) {
  const auto bytes = static_cast<int64_t>(computation->key.size() + kFollowerBytes);
  if (follower_bytes + bytes > max_follower_bytes) return false;
  const auto is_its_own = [&](const Place& place) { return place.caller == request->caller; };
  if (!computation->runs_at &&
      std::none_of(computation->places.begin(), computation->places.end(), is_its_own)) {
    // Where the queue has no place for it, it waits for those of others.
    TakePlace(computation, *request, now).IgnoreError();
  }
  Join(computation.get(), request, bytes, now);
  follower_bytes += bytes;
  return true;
}

absl::Status MergedRequests::State::TakePlace(const std::shared_ptr<Computation>& computation,
                                              const GenerationRequest& request, MonotonicTime now) {
  const size_t index = computation->places.size();
  Place place;
  place.caller = request.caller;
  place.submitted = now;
  auto carrier = std::make_shared<GenerationRequest>();
  carrier->source_ids = request.source_ids;
  carrier->options = request.options;
  carrier->caller = request.caller;
  carrier->cancelled = place.stop;
  carrier->cancel_reason = place.reason;
  const std::shared_ptr<State> self = shared_from_this();
  carrier->on_started = [self, computation, index] { self->OnStarted(computation.get(), index); };
  carrier->on_settled = [self, computation, index](absl::Span<const int32_t> tokens) {
    self->OnSettled(computation.get(), index, tokens);
  };
  carrier->on_done = [self, computation, index](GenerationResult result) {
    self->OnDone(computation.get(), index, std::move(result));
  };
  ATTEND_RETURN_IF_ERROR(loop.submit(std::move(carrier)));
  computation->places.push_back(std::move(place));
  return absl::OkStatus();
}

void MergedRequests::State::Join(Computation* computation, GenerationRequest* request,
                                 int64_t bytes, MonotonicTime now) {
  Waiter waiter;
  waiter.deadline = request->deadline;
  waiter.cancelled = std::move(request->cancelled);
  waiter.on_settled = std::move(request->on_settled);
  waiter.on_done = std::move(request->on_done);
  waiter.input_tokens = static_cast<int>(request->source_ids.size());
  waiter.joined = now;
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
  const CancelCause cause =
      absl::IsDeadlineExceeded(*waiter->end) ? CancelCause::kDeadline : CancelCause::kClient;
  leaving->splice(leaving->end(), computation->waiters, waiter);
  if (!computation->waiters.empty()) return false;
  // One sequence is given up for this reason; other places of it, if it has not begun, for being
  // its.
  const size_t counts = computation->runs_at.value_or(0);
  for (size_t i = 0; i < computation->places.size(); ++i) {
    Place& place = computation->places[i];
    if (!place.stop->load()) place.Stop(i == counts ? cause : CancelCause::kMerged);
  }
  return true;
}

// An equal one may have begun since this one was given up.
void MergedRequests::State::Forget(const Computation& computation) {
  const auto found = computations.find(computation.key);
  if (found != computations.end() && found->second.get() == &computation) computations.erase(found);
}

bool MergedRequests::State::Claim(Computation* computation, size_t place) {
  if (!computation->runs_at) computation->runs_at = place;
  return *computation->runs_at == place;
}

void MergedRequests::State::OnStarted(Computation* computation, size_t place) {
  bool any_given_up = false;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!Claim(computation, place)) return;
    for (size_t i = 0; i < computation->places.size(); ++i) {
      if (i == place || computation->places[i].stop->load()) continue;
      computation->places[i].Stop(CancelCause::kMerged);
      any_given_up = true;
    }
  }
  if (any_given_up) loop.wake();
}

void MergedRequests::State::OnSettled(Computation* computation, size_t place,
                                      absl::Span<const int32_t> tokens) {
  std::vector<int32_t>& settled = computation->settled;
  std::vector<Waiter*> listeners;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!Claim(computation, place)) return;
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

void MergedRequests::State::OnDone(Computation* computation, size_t place,
                                   GenerationResult result) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!Claim(computation, place)) return;
  }
  // Before it is forgotten: whoever comes now finds it in one place or the other.
  if (on_result) on_result(computation->key, result);
  std::list<Waiter> waiters;
  MonotonicTime submitted;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    Forget(*computation);
    waiters.swap(computation->waiters);
    for (const Waiter& waiter : waiters) follower_bytes -= waiter.bytes;
    submitted = computation->places[place].submitted;
  }
  const SequenceStats stats = result.stats;
  while (!waiters.empty()) {
    Waiter waiter = std::move(waiters.front());
    waiters.pop_front();
    GenerationResult own;
    try {
      own = waiters.empty() ? std::move(result) : result;
    } catch (const std::bad_alloc&) {
      own = GenerationResult();
      own.status = OutOfMemory();
    }
    own.stats = StatsAsSeen(stats, Elapsed(submitted, waiter.joined));
    if (waiter.bytes > 0) {  // it follows
      own.stats.computed_tokens = 0;
      own.stats.origin = ResponseOrigin::kMerged;
    }
    // Each of them, whatever another's callback comes to.
    try {
      End(&waiter, std::move(own));
    } catch (const std::bad_alloc&) {
    }
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
  const MonotonicTime now = MonotonicNow();
  const std::lock_guard<std::mutex> lock(state_->mutex);
  const auto found = state_->computations.find(key);
  if (found == state_->computations.end()) {
    ATTEND_RETURN_IF_ERROR(state_->Begin(key, request, now));
    return Part::kFirst;
  }
  return state_->TryFollow(found->second, request, now) ? Part::kFollower : Part::kNone;
}

void MergedRequests::Wake() {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->woken = true;
  }
  state_->changed.notify_one();
}

}  // namespace attend
