// The closed enums of a transformer block. A family file chooses values; layers switch over them.
// To add a variant, add a value: -Wswitch-enum lists every place that must know it.
#pragma once

#include "engine/ops/activation.h"  // Activation

namespace attend {

// Where the layer norm stands: before each sub-layer, or after its residual sum.
enum class NormPlacement { kPre, kPost };
// How positions enter. kSinusoidalHalves: sin in the first half of the vector, cos in the second
// (Marian, Pegasus).
enum class PositionEncoding { kSinusoidalHalves };
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
