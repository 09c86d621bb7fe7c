// The choice of tokens of one sequence, turned inside out: the engine loop owns time and the model,
// a SearchState owns what has been chosen. One verb: Advance(logits of this sequence's rows) says
// which rows to run next. So sequences with different searches join and leave a batch between any
// two steps. Knows no text and no model; not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "engine/generation/generation_options.h"
#include "engine/tensor/matrix.h"

namespace attend {

// kLength also for an end token that the checkpoint forces at max_length (forced_eos_token_id) and
// that the model would not have chosen: the output was cut. kRepetition is not produced yet: every
// search equals transformers', which has no loop guard.
enum class FinishReason { kEos, kLength, kRepetition };

struct Hypothesis {
  std::vector<int32_t> tokens;   // without the start token; with the end token if it was produced
  std::vector<float> log_probs;  // per token: log-softmax of the raw logits at the chosen token
  double score = 0;  // beams: sum of processed log-probabilities / length^length_penalty, as
                     // transformers' sequences_scores; greedy and sampling: mean log_probs, without
                     // an end token that was forced. A forced prefix counts in neither
  FinishReason finish_reason = FinishReason::kEos;
};

// One row to run in the next step.
struct SearchRow {
  int32_t token;  // its input token
  int parent;     // which row of the previous step it continues (0 at the start)
};

class SearchState {
 public:
  virtual ~SearchState() = default;

  // Rows of the next step; empty when finished. At the start: one row, the decoder start token
  // (forced prefix tokens are fed one by one: their logits are ignored but for log_probs).
  virtual absl::Span<const SearchRow> rows() const = 0;
  // Works on the logits in place: they are the search's during the call and afterwards hold what
  // they held before, unless it throws (std::bad_alloc). REQUIRES: logits has rows().size() rows,
  // one per row in order, and vocab_size columns.
  virtual void Advance(MatrixView logits) = 0;
  // Stops now; what there is becomes the result (finish reason kLength).
  virtual void Stop() = 0;
  bool finished() const { return rows().empty(); }

  // Tokens that no later step can change: for greedy all of them, for beams the prefix that all
  // live beams share and that the best finished hypothesis shares too; once finished, all of the
  // best. Never shrinks. Without the start token. Valid until the next call of a member that is not
  // const or of settled().
  virtual absl::Span<const int32_t> settled() const = 0;
  // Best first, num_return_sequences of them (fewer when stopped before there were as many).
  // REQUIRES: finished().
  virtual std::vector<Hypothesis> Hypotheses() const = 0;
  // Tokens chosen so far on the longest row (for deadlines' metadata and budgets).
  virtual int num_generated() const = 0;
};

// `source_ids` are needed by encoder_no_repeat_ngram_size only. REQUIRES: options resolved and
// valid.
std::unique_ptr<SearchState> MakeSearch(const GenerationOptions& options,
                                        absl::Span<const int32_t> source_ids, int64_t vocab_size);

}  // namespace attend
