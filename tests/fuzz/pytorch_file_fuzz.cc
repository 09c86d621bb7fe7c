// Any bytes either are refused or give tensors of which every byte may be read, in torch's older
// form as well. An archive's checks keep most mutations away from its pickle, so bytes that begin
// like a pickle go to the pickle reader directly.
#include <cstdint>

#include "engine/base/check.h"
#include "engine/checkpoint/pickle_reader.h"
#include "engine/checkpoint/pytorch_file.h"
#include "tests/fuzz/read_all.h"

namespace {

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
  const attend::MemorySource source({bytes, size}, "fuzz.bin");
  const auto tensors = attend::ParsePytorchFile(source);
  if (!tensors.ok()) {
    CheckRefusal(tensors.status());
    return 0;
  }
  uint64_t repeated = 0;
  for (const attend::NamedTensor& tensor : *tensors) {
    const uint64_t count = attend::ReadAll(source, tensor);
    if (!tensor.layout.strides.empty()) repeated += count;
  }
  ATTEND_CHECK(repeated <= 2 * size, "repeated elements stay bounded");
  return 0;
}
