// The closed enums of a transformer block. A family file chooses values; layers switch over them.
// To add a variant, add a value: -Wswitch-enum lists every place that must know it.
#pragma once

#include "engine/ops/activation.h"  // Activation

namespace attend {

// Where the layer norm stands: before each sub-layer, or after its residual sum.
enum class NormPlacement { kPre, kPost };
// kLayerNorm: (x - mean) / deviation * weight + bias. kRms: x / root mean square * weight (T5).
enum class NormKind { kLayerNorm, kRms };
// How positions enter.
enum class PositionEncoding {
  kLearned,           // a stored table, added to the embeddings (BART, BERT)
  kSinusoidalHalves,  // added: sin in the first half of the vector, cos in the second (Marian,
                      // Pegasus)
  kSinusoidalTensor2Tensor,  // the same halves with slightly other frequencies (M2M100, NLLB)
  kRelativeBias,  // nothing is added to embeddings, but a bias by distance to self-attention (T5)
};
// kPlain: down(activation(up(x))). kGated: down(activation(gate(x)) * up(x)).
enum class FeedForwardKind { kPlain, kGated };
// Whether linear layers of a block have a bias.
enum class LinearBias { kPresent, kAbsent };
// What attention scores are multiplied by: 1 / sqrt(head_dim), or 1 (T5).
enum class ScoreScale { kInverseSqrtHeadDim, kNone };
enum class AttentionKind { kEncoderSelf, kDecoderSelf, kCross };

constexpr const char* Name(AttentionKind kind) {
  switch (kind) {
    case AttentionKind::kEncoderSelf:
      return "encoder_self";
    case AttentionKind::kDecoderSelf:
      return "decoder_self";
    case AttentionKind::kCross:
      return "cross";
  }
  return "?";
}

}  // namespace attend
