// Any bytes either are refused or give tensors of which every byte may be read.
#include <cstdint>

#include "engine/base/check.h"
#include "engine/checkpoint/safetensors.h"
#include "tests/fuzz/read_all.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const attend::MemorySource source({bytes, size}, "fuzz.safetensors");
  const auto tensors = attend::ParseSafetensors(source);
  if (tensors.ok()) {
    uint64_t total = 0;
    for (const attend::NamedTensor& tensor : *tensors) total += attend::ReadAll(source, tensor);
    ATTEND_CHECK(total <= size, "tensors do not overlap");
  } else {
    ATTEND_CHECK(tensors.status().code() == absl::StatusCode::kDataLoss ||
                     tensors.status().code() == absl::StatusCode::kUnimplemented,
                 "bad bytes are data loss, unsupported ones unimplemented");
  }
  return 0;
}
