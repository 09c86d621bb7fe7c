// Decides who runs in the next step. Knows tokens, rows, bytes and time; no model, no text, no
// thread. Decide → execute → learn: Schedule gives a StepPlan, somebody runs it, Update says which
// sequences ended.
//
// The rules:
//
// A running sequence takes part in every step until it ends. Nothing is preempted: admission
// reserves the most that a sequence can come to need, rows and cache bytes.
//
// Waiting sequences are admitted caller by caller in turn, each caller's in order of arrival, so
// that a long call does not keep short ones waiting. The next in turn that does not fit yet holds
// up those behind it: nothing starves. But one caller alone never reserves the last quarter of rows
// or bytes (unless with its only sequence): there is room for others before its long ones end.
//
// Tokens encoded between two decode steps are bounded, so that admission does not stall those who
// run. One sequence that alone exceeds the bound is encoded alone.
//
// Cancelled and expired sequences leave before the next step; waiting ones before they are encoded.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/scheduler/generation_request.h"  // CancelFlag
#include "engine/scheduler/step_plan.h"

namespace attend {

struct SchedulerLimits {
  int64_t max_batch_rows = 256;
  int64_t max_encode_tokens = 256;
  int64_t kv_cache_bytes = int64_t{512} << 20;
};

// What a sequence asks for.
struct SequenceDemand {
  SequenceId id = 0;
  uint64_t caller = 0;
  bool forced = false;        // a forced pass: over within its step
  int64_t encode_tokens = 0;  // source tokens; a forced pass also counts its target
  int64_t rows = 0;           // at most so many decoder rows at once; 0 for a forced pass
  int64_t kv_bytes = 0;       // at most so many bytes of cache
  absl::Time deadline = absl::InfiniteFuture();
  CancelFlag cancelled;  // may be null
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerLimits& limits) : limits_(limits) {}

  // Whether a sequence fits when nothing else runs. One that does not must not be enqueued.
  static bool CanEverFit(const SequenceDemand& demand, const SchedulerLimits& limits);

  // REQUIRES: CanEverFit; ids rise. Throws std::bad_alloc, and has done nothing then.
  void Enqueue(const SequenceDemand& demand);

  // Plans the next step at wall time `now`. Running sequences and those about to be admitted are
  // always checked for cancellation and deadline; all waiting ones when `check_waiting` (somebody
  // set a flag) or when a deadline has come. Dropped sequences and forced passes are forgotten at
  // once. Throws std::bad_alloc; then only Clear helps.
  StepPlan Schedule(absl::Time now, bool check_waiting);
  // Drops everything with cause kShutdown. Throws std::bad_alloc, and has done nothing then.
  StepPlan DropAll();
  // Forgets everything; needs no memory.
  void Clear();
  // The planned step was run; these sequences ended in it.
  void Update(absl::Span<const SequenceId> ended);

  bool idle() const { return running_.empty() && waiting_.empty(); }
  int num_running() const { return static_cast<int>(running_.size()); }
  int64_t num_waiting() const { return static_cast<int64_t>(waiting_.size()); }
  // REQUIRES: num_waiting() > 0.
  SequenceId oldest_waiting() const { return waiting_.begin()->first; }
  int64_t reserved_rows() const { return reserved_rows_; }
  int64_t reserved_bytes() const { return reserved_bytes_; }

 private:
  void DropRunning(absl::Time now, StepPlan* plan);
  void DropWaiting(absl::Time now, StepPlan* plan);
  void Admit(absl::Time now, StepPlan* plan);
  // Whether the caller of this sequence would hold more than its share with it.
  bool ExceedsShare(const SequenceDemand& demand) const;
  void Reserve(const SequenceDemand& demand);
  void Free(const SequenceDemand& demand);

  const SchedulerLimits limits_;
  std::map<SequenceId, SequenceDemand> waiting_;
  // Ids of each caller in order; may still name sequences that were dropped from waiting_.
  std::unordered_map<uint64_t, std::deque<SequenceId>> by_caller_;
  std::deque<uint64_t> turns_;           // callers with an entry in by_caller_, next one first
  std::vector<SequenceDemand> running_;  // in order of admission
  int64_t reserved_rows_ = 0, reserved_bytes_ = 0;
  struct Holding {
    int64_t sequences = 0, rows = 0, bytes = 0;
  };
  std::unordered_map<uint64_t, Holding> held_by_;      // callers with running sequences
  absl::Time next_deadline_ = absl::InfiniteFuture();  // no waiting sequence expires before it
};

}  // namespace attend
