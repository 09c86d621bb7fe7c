// What the scheduler is asked to do, prepared: ids instead of text, resolved options, and where the
// answer goes. Shared between the asking thread and the engine loop; only `cancelled` is touched by
// both after Submit.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/generation/generation_options.h"
#include "engine/generation/search_state.h"
#include "engine/layers/attention_observer.h"
#include "engine/scheduler/engine_observer.h"  // CancelCause
#include "engine/tensor/matrix.h"              // ConstMatrixView

namespace attend {

// Where time went, by a monotonic clock; and what was computed.
// Where an answer comes from. Whichever it is, tokens and scores are the same bits.
enum class ResponseOrigin {
  kComputed,  // for this request
  kCached,    // kept from an equal request that was answered before
  kMerged,    // computed once for this and an equal request that came before it
};

struct SequenceStats {
  absl::Duration queue, encode,
      decode;  // waiting; own share is not split: duration of the steps it took part in
  absl::Duration time_to_first_token;  // from Submit
  int input_tokens = 0;
  int output_tokens = 0;    // of the best hypothesis
  int computed_tokens = 0;  // decoder rows run for it (forced: target tokens)
  int peak_batch_sequences = 0;
  // Others than kComputed: computed_tokens is 0, and times are those that this request waited.
  ResponseOrigin origin = ResponseOrigin::kComputed;
};

struct GenerationResult {
  absl::Status status;  // OK, CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE
  std::vector<Hypothesis> hypotheses;  // best first; empty for a forced pass
  SequenceStats stats;
};

// Set by any thread; read by the loop between steps.
using CancelFlag = std::shared_ptr<std::atomic<bool>>;

// Set before the flag that it belongs to.
using CancelReason = std::shared_ptr<std::atomic<CancelCause>>;

struct GenerationRequest {
  std::vector<int32_t> source_ids;  // with special tokens; not empty
  GenerationOptions options;

  // Forced pass instead of a search: `forced_target` (without start token) goes through the decoder
  // once, `observer` sees the weights of encoder and decoder. The decoder reads
  // options.decoder_start_token_id and the target without its last token, so that query i is the
  // step that writes token i. Empty forced_target: encoder only.
  bool forced = false;
  std::vector<int32_t> forced_target;
  AttentionObserver* observer = nullptr;  // outlives the request; called on the loop's thread
  // Forced only, may be empty: the encoder's output for source_ids, [tokens, hidden_size], valid
  // during the call. On the loop's thread; must be quick.
  std::function<void(ConstMatrixView encoded)> on_encoded;

  absl::Time deadline = absl::InfiniteFuture();
  CancelFlag cancelled;        // may be null
  CancelReason cancel_reason;  // may be null; of `cancelled`, for the count of what is given up
  uint64_t caller = 0;         // requests of one call share it: fairness counts by caller

  // When it leaves the queue to be computed. On the loop's thread; must not block.
  std::function<void()> on_started;

  // Called on the loop's thread (or as ResponseSharing::Submit says); must not block. One that
  // throws std::bad_alloc does not harm the loop: on_done counts as called, the other two end the
  // step. on_settled gets each newly settled run of tokens (streaming).
  std::function<void(absl::Span<const int32_t>)> on_settled;
  std::function<void(GenerationResult)> on_done;  // exactly once, also on shutdown
};

}  // namespace attend
