// What the engine tells whoever measures it. Implemented by the server's metrics; knows no metric
// names. Called on the engine loop's thread where nothing else is said; where a model has several
// (engine_group.h), on all of theirs, at the same time too. Must be quick and must not call back
// into the engine.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace attend {

enum class StepPhase { kEncode, kDecode, kForced };
// kMerged: an equal request was admitted first, and answers this one too.
enum class CancelCause { kClient, kDeadline, kShutdown, kMerged };
enum class CancelStage { kQueued, kEncode, kDecode };

struct StepStats {
  StepPhase phase = StepPhase::kDecode;
  int sequences = 0;   // sequences with rows in it
  int64_t tokens = 0;  // rows computed
  absl::Duration duration;
};

// State of queue and cache after a step; of all loops of the model.
struct LoadStats {
  int64_t queue_sequences = 0, queue_tokens = 0;
  absl::Duration queue_oldest;
  int active_sequences = 0;
  int64_t kv_cache_bytes = 0;
};

// A request that an equal one could answer, by where its answer came from.
enum class ResponseLookup { kHit, kMerged, kMiss };

// State of the response cache after a change.
struct ResponseCacheStats {
  int64_t entries = 0, bytes = 0;
  int64_t evictions = 0;  // since the last report
};

class EngineObserver {
 public:
  virtual ~EngineObserver() = default;
  virtual void OnStep(const StepStats& step) = 0;
  virtual void OnLoad(const LoadStats& load) = 0;
  virtual void OnQueueWait(absl::Duration wait) = 0;
  virtual void OnFirstToken(absl::Duration since_submit) = 0;
  // A sequence that nobody wants any more; wasted_tokens were computed for it.
  virtual void OnCancelled(CancelCause cause, CancelStage stage, int64_t wasted_tokens) = 0;
  // These two on any thread. Never called where answers are not shared.
  virtual void OnResponseLookup(ResponseLookup /*lookup*/) {}
  virtual void OnResponseCache(const ResponseCacheStats& /*cache*/) {}
};

}  // namespace attend
