// A norm with its weights, and the residual connection around a sub-layer in either placement.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "engine/layers/block_spec.h"  // NormKind, NormPlacement
#include "engine/layers/stack_spec.h"
#include "engine/layers/weight_source.h"
#include "engine/tensor/matrix.h"

namespace attend {

struct NormSpec {
  int64_t hidden_size = 0;
  float eps = 1e-5f;
  NormKind kind = NormKind::kLayerNorm;
};
NormSpec NormSpecOf(const StackSpec& spec);

class Norm {
 public:
  // NAME.weight and, for a layer norm, NAME.bias, [hidden_size] each.
  static absl::StatusOr<Norm> Load(const WeightSource& source, const std::string& name,
                                   const NormSpec& spec);

  // x = norm(x).
  void Apply(MatrixView x) const;
  void Apply(ConstMatrixView in, MatrixView out) const;
  // x = norm(x + addend).
  void ApplyToSum(ConstMatrixView addend, MatrixView x) const;
  int64_t weight_bytes() const {
    return static_cast<int64_t>(scale_.allocated_bytes() + shift_.allocated_bytes());
  }

 private:
  // out = norm(in + addend), or norm(in) where there is no addend.
  void Run(ConstMatrixView in, ConstMatrixView addend, MatrixView out) const;

  NormKind kind_ = NormKind::kLayerNorm;
  Matrix scale_, shift_;
  float eps_ = 0;
};

// pre-norm: x = x + sublayer(norm(x)); post-norm: x = norm(x + sublayer(x)).
class ResidualNorm {
 public:
  static absl::StatusOr<ResidualNorm> Load(const WeightSource& source, const std::string& name,
                                           const NormSpec& spec, NormPlacement placement);

  // What the sub-layer reads: x itself, or norm(x) written to `scratch`.
  ConstMatrixView Enter(ConstMatrixView x, Matrix* scratch) const;
  // Joins the sub-layer's output to x.
  void Leave(ConstMatrixView sublayer, MatrixView x) const;
  int64_t weight_bytes() const { return norm_.weight_bytes(); }

 private:
  Norm norm_;
  NormPlacement placement_ = NormPlacement::kPost;
};

}  // namespace attend
