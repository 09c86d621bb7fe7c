// Root-mean-square normalisation. Each row is computed by itself, with the same order of sums
// whatever else is in the batch.
#pragma once

#include "engine/tensor/matrix.h"

namespace attend {

struct RmsNormWeights {
  const float* scale = nullptr;  // [cols]
  float eps = 1e-6f;
};

// out = x / sqrt(mean(x^2) + eps) * scale with x = in, or x = in + residual where `residual` has
// data. out may be in or residual. REQUIRES: equal shapes.
void RmsNorm(ConstMatrixView in, ConstMatrixView residual, const RmsNormWeights& weights,
             MatrixView out);

}  // namespace attend
