// Reads the safetensors format: eight little-endian bytes with the size of a JSON header, the
// header, and the tensors' bytes. Strict as the reference implementation: tensors lie one after the
// other, without overlap and without gaps, and fill the file to its last byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/tensor/tensor_view.h"

namespace attend {

struct NamedTensor {
  std::string name;
  TensorView view;
};

// The tensors of a file's bytes, in the order in which they lie; views point into `bytes`. `file`
// stands in every error. DATA_LOSS for malformed bytes, UNIMPLEMENTED for a type of the format that
// data_type.h does not know.
absl::StatusOr<std::vector<NamedTensor>> ParseSafetensors(absl::Span<const uint8_t> bytes,
                                                          std::string_view file);

// Bytes that a tensor of this type and shape takes; false when a dimension is negative or the size
// exceeds `limit`. Never overflows, whatever the dimensions.
bool ComputeTensorBytes(DataType type, const Shape& shape, uint64_t limit, uint64_t* num_bytes);

}  // namespace attend
