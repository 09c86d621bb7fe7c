// Reads what torch.save writes for a state dict: since torch 1.6 a zip archive, before that a row
// of pickles with the storages behind them (most OPUS-MT repositories hold such a file).
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/byte_source.h"
#include "engine/checkpoint/tensor_layout.h"

namespace attend {

// The tensors of a file, in the order of the state dict; ones that share a storage share bytes.
// Reads everything but the storages. DATA_LOSS for malformed bytes; UNIMPLEMENTED for the format
// before torch 0.1.10, for compressed or big-endian files and for a pickle that is more than a
// state dict. Tensors that repeat elements (strides of zero) take at most twice the file's size
// together.
absl::StatusOr<std::vector<NamedTensor>> ParsePytorchFile(const ByteSource& source);

}  // namespace attend
