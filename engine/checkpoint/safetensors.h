// Reads the safetensors format: eight little-endian bytes with the size of a JSON header, the
// header, and the tensors' bytes. Strict as the reference implementation: tensors lie one after the
// other, without overlap and without gaps, and fill the file to its last byte.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/byte_source.h"
#include "engine/checkpoint/tensor_layout.h"

namespace attend {

// The tensors of a file, in the order in which they lie. Reads the header only. DATA_LOSS for
// malformed bytes, UNIMPLEMENTED for a type of the format that data_type.h does not know.
absl::StatusOr<std::vector<NamedTensor>> ParseSafetensors(const ByteSource& source);

}  // namespace attend
