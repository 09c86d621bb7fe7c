// The middle of a gated feed-forward block: one half of a row lets the other through.
#pragma once

#include "engine/ops/activation.h"
#include "engine/tensor/matrix.h"

namespace attend {

// out[r][c] = activation(in[r][c]) * in[r][cols + c]: in is [rows, 2 * cols], gates first, out
// [rows, cols]. Not overlapping. Each number is computed by itself.
void GatedProduct(Activation activation, ConstMatrixView in, MatrixView out);

}  // namespace attend
