// The generation requests of one call as one thing: handed to the engine loop within a window, so
// that a call larger than the queue still runs and never fills the queue alone; ended together when
// the call is lost.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "engine/scheduler/generation_request.h"
#include "engine/tasks/call_environment.h"

namespace attend {

// What a group is for decides what a full queue means.
enum class GroupPatience {
  kRefuse,   // nothing was computed yet: the call fails with QUEUE_FULL at once
  kPersist,  // follows work already done for the call: waits for a place until the deadline
};

struct RequestGroup {
  // source ids, options, forced pass, observer and on_settled are set; the rest is the group's.
  std::vector<std::shared_ptr<GenerationRequest>> requests;
  GroupPatience patience = GroupPatience::kRefuse;
  // Called as each request ends, on the loop's thread or on whichever ResponseSharing calls back,
  // by several at once for several requests; may be empty. Must not block. If it throws
  // std::bad_alloc, that request fails with OUT_OF_MEMORY.
  std::function<void(size_t index, const GenerationResult& result)> on_result;
  // Called exactly once when nothing of the group runs any more: on a worker, or before RunGroup
  // returns; on the loop's thread only where there is no memory to hand it to a worker. Not OK: the
  // call as a whole failed (CANCELLED, DEADLINE_EXCEEDED, QUEUE_FULL, SHUTTING_DOWN); OK: one
  // result per request, some of which may have failed by themselves.
  std::function<void(absl::Status status, std::vector<GenerationResult> results)> on_finished;
};

void RunGroup(const CallEnvironment& environment, RequestGroup group);

// Adds what requests cost; forced passes count as attention.
void AddUsage(const std::vector<GenerationResult>& results, bool forced, CallUsage* usage);

}  // namespace attend
