// A weight matrix as int8 in the order that the kernels read it (int8_kernels.h): symmetric, with
// one scale an output, w ≈ q * scale, q in [-127, 127]. Shared by those who use it: a tied table is
// both the embedding and the output projection.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/tensor/matrix.h"

namespace attend {

// The pieces of memory that make up a weight; all of them depend on the shape alone in size.
struct Int8WeightParts {
  absl::Span<const int8_t> panels;
  absl::Span<const float> scales;  // padded to whole panels, with zeros
  absl::Span<const int32_t> sums;  // of each output's bytes, padded with zeros
};

class Int8Weight {
 public:
  // Counts up when the order of the bytes changes: files of another version cannot be used.
  static constexpr int kFormat = 1;

  // weight: [outputs, inputs]. RESOURCE_EXHAUSTED when memory is short.
  static absl::StatusOr<std::shared_ptr<const Int8Weight>> Quantize(ConstMatrixView weight);
  // Uses memory that `owner` keeps alive, as parts() of an equal weight gave it: panels aligned to
  // 64 bytes, the others to 4. FAILED_PRECONDITION when a size or an alignment is not right
  // for this shape.
  static absl::StatusOr<std::shared_ptr<const Int8Weight>> Borrow(
      int64_t inputs, int64_t outputs, const Int8WeightParts& parts,
      std::shared_ptr<const void> owner);

  int64_t inputs() const { return inputs_; }
  int64_t outputs() const { return outputs_; }
  int64_t padded_inputs() const;
  int64_t num_panels() const;
  const Int8WeightParts& parts() const { return parts_; }
  int64_t bytes() const;

  // One output's weights as floats: out[0 .. inputs).
  void Row(int64_t output, float* out) const;

 private:
  Int8Weight(int64_t inputs, int64_t outputs) : inputs_(inputs), outputs_(outputs) {}
  int64_t inputs_, outputs_;
  Int8WeightParts parts_;
  std::shared_ptr<const void> owner_;
};

}  // namespace attend
