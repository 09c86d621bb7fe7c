// T5's relative position bias: a number for each head and bucket of distances, added to the scores
// of self-attention. One table serves all layers of a stack. Kept by distance, not by bucket: small
// (heads x twice max_distance), and the same for sequences of any length.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "engine/layers/block_spec.h"  // AttentionKind
#include "engine/layers/stack_spec.h"
#include "engine/layers/weight_source.h"
#include "engine/ops/attention.h"  // DistanceBias
#include "engine/tensor/matrix.h"

namespace attend {

// The bucket of `distance` = key position - query position. Half of the buckets are for single
// distances, the other half grow with the logarithm up to max_distance. Encoders keep buckets apart
// for keys before and after the query; decoders, which see nothing after it, use all for keys
// before.
int RelativeBucket(const RelativeBiasSpec& spec, AttentionKind kind, int64_t distance);

class RelativeBias {
 public:
  // relative_bias.weight [num_buckets, num_heads]. nullptr where the stack has no such bias. kind:
  // kEncoderSelf or kDecoderSelf.
  static absl::StatusOr<std::shared_ptr<const RelativeBias>> Load(const WeightSource& source,
                                                                  const StackSpec& spec,
                                                                  AttentionKind kind);

  // Borrows from this object.
  const DistanceBias* view() const { return &view_; }
  int64_t bytes() const { return static_cast<int64_t>(values_.allocated_bytes()); }

 private:
  RelativeBias(Matrix values, int64_t reach)
      : values_(std::move(values)), view_{values_.data(), reach} {}
  RelativeBias(const RelativeBias&) = delete;
  RelativeBias& operator=(const RelativeBias&) = delete;
  Matrix values_;  // [num_heads, 2 * max_distance + 1]
  DistanceBias view_;
};

}  // namespace attend
