// Any bytes either are refused or give tensors of which every byte may be read. An archive's checks
// keep most mutations away from its pickle, so bytes that begin like a pickle go to the pickle
// reader directly.
#include <cstdint>

#include "engine/base/check.h"
#include "engine/checkpoint/pickle_reader.h"
#include "engine/checkpoint/pytorch_archive.h"

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

void CheckRefusal(const absl::Status& status) {
  ATTEND_CHECK(status.code() == absl::StatusCode::kDataLoss ||
                   status.code() == absl::StatusCode::kUnimplemented,
               "bad bytes are data loss, unsupported ones unimplemented");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size > 0 && bytes[0] == 0x80) {
    const auto pickled = attend::ParseStateDict({bytes, size}, "fuzz.pkl");
    if (!pickled.ok()) CheckRefusal(pickled.status());
  }
  const auto result = attend::ParsePytorchArchive({bytes, size}, "fuzz.bin");
  if (!result.ok()) {
    CheckRefusal(result.status());
    return 0;
  }
  size_t copied = 0;
  for (const auto& copy : result->copies) copied += copy.size();
  ATTEND_CHECK(copied <= 2 * size, "copies stay bounded");
  for (const attend::NamedTensor& tensor : result->tensors) ReadAll(tensor.view);
  return 0;
}
