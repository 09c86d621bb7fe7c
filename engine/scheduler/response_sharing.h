// Stands before the engine loop and answers what need not be computed again: a request equal to one
// that was answered before (response cache), and one equal to another that is on its way (merging
// duplicates). Both are off unless asked for. Batch invariance makes it sound: what is handed out
// is bit for bit what a pass of its own would have given. One for each loaded model, and gone with
// it, so that an answer of other weights, or of other arithmetic, cannot be found. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "engine/scheduler/engine_observer.h"
#include "engine/scheduler/generation_request.h"
#include "engine/scheduler/merged_requests.h"

namespace attend {

struct ResponseSharingOptions {
  int64_t cache_bytes = 0;  // 0: no cache
  bool merge_duplicates = false;
  // What those may take who wait for a computation that another began. One more than fits is
  // computed for itself, and so meets the bound of the queue.
  int64_t follower_bytes = int64_t{4} << 20;

  bool any() const { return cache_bytes > 0 || merge_duplicates; }
};

class ResponseSharing {
 public:
  // `observer` (may be null) is borrowed and outlives this and what `loop` still runs.
  ResponseSharing(const ResponseSharingOptions& options, LoopDoor loop, EngineObserver* observer);
  // REQUIRES: nobody waits for an answer. The loop must still be there; what nobody wants any more
  // may still run in it.
  ~ResponseSharing();

  // As EngineLoop::Submit, with two differences: on_done may be called before it returns, on the
  // calling thread (a hit, which has no on_settled); and where duplicates are merged, what
  // MergedRequests says of callbacks holds. No lock is held when they are called.
  absl::Status Submit(std::shared_ptr<GenerationRequest> request);
  // Makes cancel flags just set seen by those who wait for a merged computation. For the others
  // there is the loop's own Wake.
  void Wake();

 private:
  class Store;

  absl::Status ComputeAlone(const std::string& key, std::shared_ptr<GenerationRequest> request);
  void Count(ResponseLookup lookup);

  const LoopDoor loop_;
  EngineObserver* const observer_;
  const std::shared_ptr<Store> store_;  // also held by what runs in the loop; null: no cache
  const std::unique_ptr<MergedRequests> merged_;  // null: duplicates are not merged
};

}  // namespace attend
