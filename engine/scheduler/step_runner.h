// Executes step plans: packs what the plan names into one encoder pass, one forced pass and one
// decode step, lets every search advance on its rows of the logits, and rearranges the caches as
// the searches say. Owns what is computed with: cache pool, workspace, logits. Belongs to the
// loop's thread; searches advance on that thread's op threads (engine/ops/op_threads.h).
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/types/span.h"
#include "engine/generation/search_state.h"
#include "engine/layers/kv_cache.h"
#include "engine/layers/output_subset.h"
#include "engine/layers/ragged_batch.h"
#include "engine/models/model.h"
#include "engine/scheduler/engine_observer.h"
#include "engine/scheduler/request_queue.h"  // MonotonicTime
#include "engine/scheduler/step_plan.h"

namespace attend {

// One accepted request and all that was computed for it.
struct Sequence {
  std::shared_ptr<GenerationRequest> request;
  int64_t queued_tokens = 0;
  int64_t work = 0;  // that outstanding_work counts for it
  MonotonicTime submitted;
  SequenceStats stats;
  std::unique_ptr<SearchState> search;  // once encoded; never for a forced pass
  CrossCache cross;
  int64_t cross_bytes = 0;          // that the pool counts for `cross`
  std::vector<SelfCache> rows;      // one per row of the search, in order
  std::vector<int32_t> candidates;  // tokens it may write (Shortlist); empty: all of the vocabulary
  std::vector<int32_t> slots;       // where they stand in the runner's OutputSubset,
  int64_t slots_layout = -1;        // in this layout of it
  Matrix own_logits;                // scratch: of the candidates alone
  size_t num_reported = 0;          // settled tokens that on_settled has seen
};

using SequenceTable = std::unordered_map<SequenceId, std::unique_ptr<Sequence>>;

class StepRunner {
 public:
  // `model` and `observer` (may be null) are borrowed.
  StepRunner(const Model* model, int64_t kv_cache_bytes, EngineObserver* observer);
  ~StepRunner();

  // Bytes of cache a sequence can come to need: `rows` hypotheses of `max_length` ids, and a source
  // of `source_tokens`.
  int64_t WorstCaseBytes(int64_t rows, int64_t max_length, int64_t source_tokens) const;

  // Runs the plan's passes (not its drops). Every planned id must be in the table. Afterwards a
  // sequence has ended when its search is finished, or when it was a forced pass. Throws
  // std::bad_alloc when memory is short: then the planned sequences can only be released, and
  // Recover comes before the next Run.
  void Run(const StepPlan& plan, const SequenceTable& table);
  // Frees the caches of a sequence that leaves.
  void Release(Sequence* sequence);

  int64_t used_bytes() const { return pool_.used_bytes(); }
  // After a Run that threw: forgets what it left half done.
  void Recover();
  // Gives memory of past bursts back; for when nothing runs.
  void Trim();

 private:
  // A sequence in a decode step and where its rows begin.
  struct Decoded {
    Sequence* sequence;
    int64_t first_row;
  };

  void RunForced(absl::Span<const SequenceId> ids, const SequenceTable& table);
  void RunEncode(absl::Span<const SequenceId> ids, const SequenceTable& table);
  void RunDecode(absl::Span<const SequenceId> ids, const SequenceTable& table);
  void ProjectCross(ConstMatrixView encoded, Sequence* sequence);
  void MakeSearchOf(Sequence* sequence);
  bool ComputeLogits(absl::Span<const SequenceId> ids, const SequenceTable& table);
  void AdvanceSearches(bool are_cut_down);
  MatrixView LogitsOf(Sequence* sequence, MatrixView rows, bool are_cut_down) const;
  void Rearrange(Sequence* sequence);
  int64_t CrossBytes(int64_t source_tokens) const;
  void Observe(StepPhase phase, size_t sequences, int64_t tokens, absl::Duration duration);

  const Model* const model_;
  EngineObserver* const observer_;
  KvCachePool pool_;
  std::unique_ptr<Workspace> workspace_;
  RaggedBatch sources_, targets_;
  std::vector<AttentionObserver*> attention_observers_;
  Matrix hidden_, logits_;
  std::unique_ptr<OutputSubset> outputs_;  // only where the model has a shortlist
  std::vector<DecodeRow> decode_rows_;
  std::vector<Decoded> decoded_;
  std::vector<SelfCache> rearranged_;
  std::vector<int> uses_;
};

}  // namespace attend
