// The output projection cut down to the tokens that the running sequences may write: the union of
// their sets, packed. A sequence that joins or leaves changes only what it alone needs, so steps in
// between read a panel that is ready. Belongs to one thread.
//
// Batch invariance: a token's logit is the same bits in whichever slot, so a sequence that reads
// only its own tokens (SlotsOf) sees nothing of its neighbours.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/ops/int8_subset.h"
#include "engine/tensor/matrix.h"

namespace attend {

class OutputSubset {
 public:
  // Borrows the projection. `pinned`: tokens, each once, that stay for good.
  OutputSubset(const Int8Dense* projection, absl::Span<const int32_t> pinned);

  // A sequence's tokens, each once, join; the same list leaves later. REQUIRES: ids of outputs.
  void Add(absl::Span<const int32_t> tokens);
  void Remove(absl::Span<const int32_t> tokens);

  // Columns of the logits; free slots among them.
  int64_t slots() const { return packed_.slots(); }
  // Changes when slots of tokens that are there may have moved.
  int64_t layout() const { return layout_; }
  // Where each of the tokens stands. REQUIRES: they were added and not removed.
  void SlotsOf(absl::Span<const int32_t> tokens, std::vector<int32_t>* slots) const;
  int64_t allocated_bytes() const { return packed_.allocated_bytes(); }

  // Resizes logits to [rows, slots()].
  void Run(ConstMatrixView hidden, Matrix* logits) const;

 private:
  void Put(int32_t token);
  void Compact();

  Int8Subset packed_;
  int64_t num_pinned_;
  int64_t layout_ = 0;
  std::vector<int32_t> slot_of_;          // by token; -1: nowhere
  std::vector<int32_t> token_of_, uses_;  // by slot; uses 0: free
  std::vector<int32_t> free_;
};

}  // namespace attend
