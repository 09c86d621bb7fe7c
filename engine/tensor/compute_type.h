// How a model's linear operations compute.
#pragma once

namespace attend {

// kFloat32: weights and products in float32. kInt8: weights as int8 with one scale an output,
// inputs quantised row by row, exact 32-bit sums (ops/int8_dense.h).
enum class ComputeType { kFloat32, kInt8 };

constexpr const char* Name(ComputeType type) {
  switch (type) {
    case ComputeType::kFloat32:
      return "float32";
    case ComputeType::kInt8:
      return "int8";
  }
  return "?";
}

}  // namespace attend
