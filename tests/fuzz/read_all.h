// What every reader of weights must allow: reading all of each tensor that it found.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "engine/base/check.h"
#include "engine/checkpoint/tensor_layout.h"

namespace attend {

// How many bytes of a tensor were read: all of them.
inline uint64_t ReadAll(const ByteSource& source, const NamedTensor& tensor) {
  const TensorLayout& layout = tensor.layout;
  uint64_t count = 0;
  const absl::Status read =
      ReadElements(source, layout, tensor.name,
                   [&count](absl::Span<const uint8_t> bytes) { count += bytes.size(); });
  ATTEND_CHECK(read.ok(), "what a layout names lies within the file");
  ATTEND_CHECK(count == static_cast<uint64_t>(NumElements(layout.shape)) * ByteSize(layout.type),
               "the size fits");
  return count;
}

}  // namespace attend
