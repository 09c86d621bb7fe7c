// A linear operation with int8 weights: out = activation(in * weight^T + bias). Inputs are
// quantised row by row as they come (symmetric, 127 steps), products are summed exactly in 32-bit
// integers, and scales, bias and activation are applied in float32. The scheme is that of "dynamic"
// quantisation (Jacob et al. 2018, arXiv:1712.05877, without zero points).
//
// Batch invariance: a row's result is the same bits in any company, at any place, on any number of
// threads and with each of the kernels (int8_kernels.h), because integer sums have no order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/ops/activation.h"
#include "engine/ops/int8_weight.h"
#include "engine/tensor/matrix.h"

namespace attend {

struct Int8Product;

class Int8Dense {
 public:
  // bias: one number an output, or empty.
  Int8Dense(std::shared_ptr<const Int8Weight> weight, absl::Span<const float> bias,
            std::optional<Activation> activation);

  int64_t inputs() const { return weight_->inputs(); }
  int64_t outputs() const { return weight_->outputs(); }
  int64_t packed_bytes() const;

  // Safe to call from several threads. REQUIRES: in is [rows, inputs], out is [rows, outputs], not
  // overlapping.
  void Run(ConstMatrixView in, MatrixView out) const;

 private:
  friend class Int8Subset;
  Int8Product Weights() const;  // everything but the rows

  std::shared_ptr<const Int8Weight> weight_;
  std::vector<float> bias_;  // padded to whole panels
  std::optional<Activation> activation_;
};

// The best kernel in use here: "amx", "avx512_vnni", "avx2" or "portable".
const char* Int8KernelDescription();

}  // namespace attend
