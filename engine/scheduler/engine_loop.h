// One thread that serves one model: while (running) { Schedule → Run → Update }. It alone owns the
// running sequences, their caches and the workspace; other threads meet it at Submit (a bounded
// queue) and at the callbacks.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/models/model.h"
#include "engine/scheduler/engine_observer.h"
#include "engine/scheduler/generation_request.h"

namespace attend {

struct SchedulerOptions {
  int64_t queue_capacity_tokens = 65536;  // source tokens waiting; above it Submit refuses
  int64_t max_batch_rows = 256;           // decoder rows of one step (beams count)
  int64_t max_encode_tokens = 256;        // source tokens encoded between two decode steps
  int64_t kv_cache_bytes = int64_t{512} << 20;
  // Of a model: loops that share its requests (engine_group.h), which divide queue and cache
  // between them, and threads inside one op of each. 0: chosen when the model is loaded
  // (engine_shape.h); for EngineLoop and EngineGroup that counts as 1.
  int num_engines = 1;
  int num_threads = 1;
};

class EngineLoop {
 public:
  // Starts the thread. `model` and `observer` (may be null) are borrowed and outlive the loop.
  EngineLoop(const Model* model, const SchedulerOptions& options, EngineObserver* observer);
  // Stops.
  ~EngineLoop();

  // Hands a request over; on_done is called exactly once if and only if OK is returned.
  // RESOURCE_EXHAUSTED / QUEUE_FULL with retry_after, or MEMORY_BUDGET for one that can never fit;
  // OUT_OF_MEMORY; UNAVAILABLE / SHUTTING_DOWN after Drain; INVALID_ARGUMENT / INPUT_TOO_LONG,
  // EMPTY_INPUT or OPTION_OUT_OF_RANGE for what the model cannot take. options must be resolved.
  // May be called from a callback; Drain and the destructor may not.
  absl::Status Submit(std::shared_ptr<GenerationRequest> request);
  // Wakes the loop so that a cancel flag just set is seen within one step even when it is idle.
  void Wake();

  // Refuses new requests from now on.
  void Close();
  // Refuses new requests and waits until all accepted ones are done or the time is over (then
  // cancels them).
  void Drain(absl::Duration timeout);
  // Cancels what is left (UNAVAILABLE / SHUTTING_DOWN) and joins the thread; Submit goes on
  // refusing. Not from a callback.
  void Stop();

  // Time since the loop last went round, zero while it has nothing to do; a stuck loop shows here
  // (liveness).
  absl::Duration SinceLastTick() const;
  int64_t queue_capacity_tokens() const;
  // Of the requests accepted and not answered: tokens to encode, times decoder rows. What decides
  // between two loops.
  int64_t outstanding_work() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace attend
