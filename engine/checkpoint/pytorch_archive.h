// Reads what torch.save of torch >= 1.6 writes for a state dict: a zip archive with a pickle that
// names the tensors and one member per storage.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/safetensors.h"  // NamedTensor

namespace attend {

struct PytorchTensors {
  std::vector<NamedTensor> tensors;          // views into the archive's bytes or into `copies`
  std::vector<std::vector<uint8_t>> copies;  // tensors whose strides are not row-major, rewritten
};

// DATA_LOSS for malformed bytes; UNIMPLEMENTED for the format before torch 1.6 (the message says
// how to convert it), for compressed or big-endian archives and for a pickle that is more than a
// state dict. Memory beyond `bytes` stays below twice their size plus what the pickle takes.
absl::StatusOr<PytorchTensors> ParsePytorchArchive(absl::Span<const uint8_t> bytes,
                                                   std::string_view file);

}  // namespace attend
