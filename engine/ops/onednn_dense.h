// A linear operation with constant weights, out = activation(in * weight^T + bias), on oneDNN in
// float32. The weights are reordered once into the blocks that oneDNN's kernels read; bias and
// activation are part of the kernel.
//
// Batch invariance: a row's result is the same bits however many rows are in the call, wherever the
// row stands, and whatever OpThreads() is. oneDNN promises no such thing (it picks kernels by row
// count: with AVX2, 2.6's and 3.2's matmul gave up to two different results for equal rows of one
// call, and inner_product changes its summation from 96 rows on when the input is 768 wide). So a
// call is cut into pieces of fixed row counts, at most 64, each with a kernel of its own; and when
// the kernels of a shape are made, they run on equal rows and those whose bits disagree with the
// majority are dropped. With AVX2 or AVX-512 none is; on older processors only the one-row kernel
// may be left, which is slow but right.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/ops/activation.h"
#include "engine/tensor/matrix.h"

namespace attend {

class OneDnnDense {
 public:
  // weight: [outputs, inputs], as PyTorch's Linear stores it. bias: `outputs` numbers, or empty.
  // Copies both. INTERNAL when oneDNN cannot do it, RESOURCE_EXHAUSTED when memory is short.
  static absl::StatusOr<OneDnnDense> Create(ConstMatrixView weight, absl::Span<const float> bias,
                                            std::optional<Activation> activation);
  OneDnnDense(OneDnnDense&&) noexcept;
  OneDnnDense& operator=(OneDnnDense&&) noexcept;
  ~OneDnnDense();

  int64_t inputs() const;
  int64_t outputs() const;
  int64_t packed_bytes() const;

  // Safe to call from several threads. REQUIRES: in is [rows, inputs], out is [rows, outputs], both
  // without gaps between rows, not overlapping.
  void Run(ConstMatrixView in, MatrixView out) const;

  // How many of the row counts passed the check described above, and oneDNN's name of the kernel:
  // for logs and tests.
  int num_kernels() const;
  const char* kernel_name() const;

 private:
  struct Parts;
  explicit OneDnnDense(std::unique_ptr<const Parts> parts);
  std::unique_ptr<const Parts> parts_;
};

// Version and instruction set that oneDNN works with here, for example "3.2.0 avx512_core".
const char* OneDnnDescription();

}  // namespace attend
