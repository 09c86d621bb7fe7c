// Any bytes either are refused or give tensors of which every byte may be read.
#include <cstdint>

#include "engine/base/check.h"
#include "engine/checkpoint/safetensors.h"

namespace {

volatile uint8_t sink;

void ReadAll(const attend::TensorView& view) {
  ATTEND_CHECK(
      view.num_bytes == static_cast<size_t>(attend::NumElements(view.shape)) * ByteSize(view.type),
      "the size fits");
  uint8_t sum = 0;
  for (size_t i = 0; i < view.num_bytes; ++i) sum = static_cast<uint8_t>(sum + view.data[i]);
  sink = sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto tensors = attend::ParseSafetensors({bytes, size}, "fuzz.safetensors");
  if (tensors.ok()) {
    size_t total = 0;
    for (const attend::NamedTensor& tensor : *tensors) {
      ReadAll(tensor.view);
      total += tensor.view.num_bytes;
    }
    ATTEND_CHECK(total <= size, "tensors do not overlap");
  } else {
    ATTEND_CHECK(tensors.status().code() == absl::StatusCode::kDataLoss ||
                     tensors.status().code() == absl::StatusCode::kUnimplemented,
                 "bad bytes are data loss, unsupported ones unimplemented");
  }
  return 0;
}
