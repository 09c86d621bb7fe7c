// Where a tensor lies in a file, and how its elements are read from there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/checkpoint/byte_source.h"
#include "engine/tensor/data_type.h"
#include "engine/tensor/shape.h"

namespace attend {

// Whoever makes one has checked it against the file: every element lies within it.
struct TensorLayout {
  DataType type = DataType::kF32;
  Shape shape;
  Shape strides;           // in elements, none negative; empty: row-major without gaps
  uint64_t begin = 0;      // of the first element, in bytes from the beginning of the file
  uint64_t num_bytes = 0;  // of all elements: NumElements(shape) * ByteSize(type)
};

struct NamedTensor {
  std::string name;
  TensorLayout layout;
};

// Bytes that a tensor of this type and shape takes; false when a dimension is negative or the size
// exceeds `limit`. Never overflows, whatever the dimensions.
bool ComputeTensorBytes(DataType type, const Shape& shape, uint64_t limit, uint64_t* num_bytes);

// Hands `sink` all elements in row-major order as they are stored, some at a time, never a part of
// one. Takes little memory, but for strided tensors: those take what they span in the file.
// DATA_LOSS when the file has become shorter, RESOURCE_EXHAUSTED when memory is short; both name
// file and `tensor`.
absl::Status ReadElements(const ByteSource& source, const TensorLayout& layout,
                          std::string_view tensor,
                          absl::FunctionRef<void(absl::Span<const uint8_t>)> sink);

}  // namespace attend
