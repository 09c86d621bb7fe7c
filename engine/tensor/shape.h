// The dimensions of a tensor.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/inlined_vector.h"

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

}  // namespace attend
