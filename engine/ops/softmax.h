// Row softmax and log-softmax; each row by itself.
#pragma once

#include <cstdint>

#include "engine/tensor/matrix.h"

namespace attend {

// row[i] = exp(row[i] - max) / sum, in place. REQUIRES: n >= 1, finite numbers.
void SoftmaxRow(int64_t n, float* row);

// log(sum(exp(row))) without overflow; what log-softmax subtracts. Minus infinity among the numbers
// counts as 0. REQUIRES: n >= 1, at least one finite number.
float LogSumExp(const float* row, int64_t n);

}  // namespace attend
