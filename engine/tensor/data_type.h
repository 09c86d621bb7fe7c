// Element types of tensors on disk. In memory, activations and unpacked weights are float32
// (tensor/matrix.h).
#pragma once

#include <cstddef>

namespace attend {

enum class DataType { kF32, kF16, kBF16, kF64, kI64, kI32, kI16, kI8, kU8, kBool };

// Bytes of one element.
constexpr size_t ByteSize(DataType type) {
  switch (type) {
    case DataType::kF64:
    case DataType::kI64:
      return 8;
    case DataType::kF32:
    case DataType::kI32:
      return 4;
    case DataType::kF16:
    case DataType::kBF16:
    case DataType::kI16:
      return 2;
    case DataType::kI8:
    case DataType::kU8:
    case DataType::kBool:
      return 1;
  }
  return 0;
}

// Name as safetensors spells it, for example "BF16".
constexpr const char* Name(DataType type) {
  switch (type) {
    case DataType::kF64:
      return "F64";
    case DataType::kI64:
      return "I64";
    case DataType::kF32:
      return "F32";
    case DataType::kI32:
      return "I32";
    case DataType::kF16:
      return "F16";
    case DataType::kBF16:
      return "BF16";
    case DataType::kI16:
      return "I16";
    case DataType::kI8:
      return "I8";
    case DataType::kU8:
      return "U8";
    case DataType::kBool:
      return "BOOL";
  }
  return "?";
}

}  // namespace attend
