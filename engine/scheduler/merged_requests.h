// Equal requests on their way at the same time, computed once for all of them.
//
// A computation belongs to nobody in particular: it runs under a request of its own and goes on as
// long as anybody waits for it. Each of those who wait keeps its own deadline and its own cancel
// flag, which a thread of this class watches, and gets its own deltas: what concerns only one of
// them never reaches another. While a computation waits in the queue, each caller that wants it has
// a place there: the turns between callers are what they are without merging. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/scheduler/generation_request.h"

namespace attend {

// The engine loop as those see it who stand before it. Neither may call back, or wait for a
// callback, before it returns.
struct LoopDoor {
  std::function<absl::Status(std::shared_ptr<GenerationRequest>)> submit;  // EngineLoop::Submit
  std::function<void()> wake;                                              // EngineLoop::Wake
};

class MergedRequests {
 public:
  // Those who wait for a computation that another began take at most `max_follower_bytes`.
  // `on_result`, which may be empty, sees each result first, on the loop's thread.
  MergedRequests(
      int64_t max_follower_bytes, LoopDoor loop,
      std::function<void(const std::string& key, const GenerationResult& result)> on_result);
  // Joins the thread. REQUIRES: nobody waits any more. The loop must still be there; what nobody
  // wants any more may still run in it.
  ~MergedRequests();
  MergedRequests(const MergedRequests&) = delete;
  MergedRequests& operator=(const MergedRequests&) = delete;

  enum class Part {
    kFirst,     // a computation was begun
    kFollower,  // it waits for one that runs
    kNone,      // there is no room for another follower; the request is as it was
  };
  // Requests of one key get one answer. Takes the callbacks, deadline and cancel flag out of the
  // request, or leaves it as it was: errors are those of the loop's submit. on_settled and on_done
  // are called on the loop's thread or on ours, without a lock, never two of one request at once,
  // and on_settled never after on_done; who joins late gets all settled tokens with the next ones.
  absl::StatusOr<Part> Submit(const std::string& key, GenerationRequest* request);
  // Makes cancel flags just set seen now.
  void Wake();

 private:
  struct State;
  const std::shared_ptr<State> state_;  // also held by what runs in the loop
};

}  // namespace attend
