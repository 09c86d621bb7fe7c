// Who wants to see attention weights implements this; a nullptr observer is the fast path that
// never writes them out.
#pragma once

#include <cstdint>

#include "engine/layers/block_spec.h"  // AttentionKind
#include "engine/tensor/matrix.h"

namespace attend {

// One head of one layer for one sequence.
struct AttentionSite {
  AttentionKind kind = AttentionKind::kCross;
  int layer = 0;
  int head = 0;
};

class AttentionObserver {
 public:
  virtual ~AttentionObserver() = default;
  // Whether weights of this layer are wanted at all; asked once per layer and pass, so that the
  // rest stays fused.
  virtual bool Wants(AttentionKind kind, int layer) const = 0;
  // weights: [num_queries, num_keys] after softmax, rows sum to one (causal: zeros above the
  // diagonal). Valid during the call only. Called on the engine's thread, once per head of a wanted
  // layer.
  virtual void OnAttention(const AttentionSite& site, ConstMatrixView weights) = 0;
};

}  // namespace attend
