// Softmax of a row.
#pragma once

#include <cstdint>

#include "engine/tensor/matrix.h"

namespace attend {

// row[i] = exp(row[i] - max) / sum, in place. REQUIRES: n >= 1, finite numbers.
void SoftmaxRow(int64_t n, float* row);

}  // namespace attend
