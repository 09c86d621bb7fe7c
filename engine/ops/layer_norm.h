// Layer normalisation and the residual sum around it. Each row is computed by itself, with the same
// order of sums whatever else is in the batch.
#pragma once

#include "engine/tensor/matrix.h"

namespace attend {

struct LayerNormWeights {
  const float* scale = nullptr;  // [cols]
  const float* shift = nullptr;  // [cols]
  float eps = 1e-5f;
};

// out = (x - mean(x)) / sqrt(variance(x) + eps) * scale + shift with x = in, or x = in + residual
// where `residual` has data. Variance divides by cols. out may be in or residual. REQUIRES: equal
// shapes.
void LayerNorm(ConstMatrixView in, ConstMatrixView residual, const LayerNormWeights& weights,
               MatrixView out);

// inout += in. REQUIRES: equal shapes.
void AddRows(ConstMatrixView in, MatrixView inout);

}  // namespace attend
