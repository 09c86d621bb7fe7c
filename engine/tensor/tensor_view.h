// A typed, shaped, non-owning window on bytes: a tensor as it lies in a checkpoint file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/inlined_vector.h"
#include "engine/tensor/data_type.h"

namespace attend {

using Shape = absl::InlinedVector<int64_t, 4>;

// Product of the dimensions; 1 for a scalar.
inline int64_t NumElements(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

// "[320, 32]".
inline std::string ToString(const Shape& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

struct TensorView {
  DataType type = DataType::kF32;
  Shape shape;
  const uint8_t* data = nullptr;  // row-major, contiguous, not necessarily aligned
  size_t num_bytes = 0;           // == NumElements(shape) * ByteSize(type)
};

}  // namespace attend
