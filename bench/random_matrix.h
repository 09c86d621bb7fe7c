// Normally distributed numbers, the same each time.
#pragma once

#include <cstdint>
#include <random>

#include "engine/tensor/matrix.h"

namespace attend {

inline Matrix RandomMatrix(int64_t rows, int64_t cols) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Matrix matrix(rows, cols);
  for (int64_t i = 0; i < rows * cols; ++i) matrix.data()[i] = normal(random);
  return matrix;
}

}  // namespace attend
