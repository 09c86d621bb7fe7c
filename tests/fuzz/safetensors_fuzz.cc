// Any bytes either are refused or give tensors of which every byte may be read.
#include <cstdint>

#include "engine/base/check.h"
#include "engine/checkpoint/safetensors.h"

namespace {

// How many bytes of a tensor were read: all of them.
uint64_t ReadAll(const attend::ByteSource& source, const attend::NamedTensor& tensor) {
  const attend::TensorLayout& layout = tensor.layout;
  uint64_t count = 0;
  const absl::Status read =
      attend::ReadElements(source, layout, tensor.name,
                           [&count](absl::Span<const uint8_t> bytes) { count += bytes.size(); });
  ATTEND_CHECK(read.ok(), "what a layout names lies within the file");
  ATTEND_CHECK(
      count == static_cast<uint64_t>(attend::NumElements(layout.shape)) * ByteSize(layout.type),
      "the size fits");
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const attend::MemorySource source({bytes, size}, "fuzz.safetensors");
  const auto tensors = attend::ParseSafetensors(source);
  if (tensors.ok()) {
    uint64_t total = 0;
    for (const attend::NamedTensor& tensor : *tensors) total += ReadAll(source, tensor);
    ATTEND_CHECK(total <= size, "tensors do not overlap");
  } else {
    ATTEND_CHECK(tensors.status().code() == absl::StatusCode::kDataLoss ||
                     tensors.status().code() == absl::StatusCode::kUnimplemented,
                 "bad bytes are data loss, unsupported ones unimplemented");
  }
  return 0;
}
