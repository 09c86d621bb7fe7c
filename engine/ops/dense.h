// A linear operation with constant float32 weights, out = activation(in * weight^T + bias). The
// weights are packed once, into the order in which they are read.
//
// On processors with AVX2 or AVX-512 it runs on kernels of our own (ops/f32_panels.h), on others on
// oneDNN's (ops/onednn_dense.h).
//
// Batch invariance: a row's result is the same bits however many rows are in the call, wherever the
// row stands, and whatever OpThreads() is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/ops/activation.h"
#include "engine/tensor/matrix.h"

namespace attend {

class PackedDense {
 public:
  // weight: [outputs, inputs], as PyTorch's Linear stores it. bias: `outputs` numbers, or empty.
  // Copies both. INTERNAL when oneDNN cannot do it, RESOURCE_EXHAUSTED when memory is short.
  static absl::StatusOr<PackedDense> Create(ConstMatrixView weight, absl::Span<const float> bias,
                                            std::optional<Activation> activation);
  PackedDense(PackedDense&&) noexcept;
  PackedDense& operator=(PackedDense&&) noexcept;
  ~PackedDense();

  int64_t inputs() const;
  int64_t outputs() const;
  int64_t packed_bytes() const;

  // Safe to call from several threads. REQUIRES: in is [rows, inputs], out is [rows, outputs], both
  // without gaps between rows, not overlapping.
  void Run(ConstMatrixView in, MatrixView out) const;

  // For logs and tests: "panels:avx512", say, or oneDNN's name.
  const char* kernel_name() const;

 private:
  struct Form;
  explicit PackedDense(std::unique_ptr<const Form> form);
  std::unique_ptr<const Form> form_;
};

}  // namespace attend
