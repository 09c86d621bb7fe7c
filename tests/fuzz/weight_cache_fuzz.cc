// Any bytes either are refused or give blobs of which every byte may be read. The checksum would
// keep nearly all mutations away from what comes after it, so each input is tried with the right
// one as well.
#include <algorithm>
#include <cstdint>
#include <string>

#include "engine/base/check.h"
#include "engine/checkpoint/little_endian.h"
#include "engine/checkpoint/weight_cache_index.h"

namespace {

constexpr char kKey[] = "key";

void ReadBlobs(const std::string& bytes) {
  const attend::MemorySource source({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                                    "fuzz.panels");
  const auto blobs = attend::ReadWeightCacheIndex(source, kKey);
  if (!blobs.ok()) {
    ATTEND_CHECK(blobs.status().code() == absl::StatusCode::kDataLoss ||
                     blobs.status().code() == absl::StatusCode::kFailedPrecondition,
                 "bad bytes are data loss, those of others a failed precondition");
    return;
  }
  uint64_t end = attend::kWeightCachePrefixBytes;
  for (const attend::WeightCacheBlob& blob : *blobs) {
    const auto content = source.ReadString(blob.offset, blob.size);
    ATTEND_CHECK(content.ok(), "blobs lie inside the file");
    ATTEND_CHECK(blob.offset % attend::kWeightCacheAlignment == 0, "blobs are aligned");
    ATTEND_CHECK(blob.offset >= end, "blobs do not overlap");
    end = blob.offset + blob.size;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::string input(reinterpret_cast<const char*>(bytes), size);
  ReadBlobs(input);
  if (size < attend::kWeightCachePrefixBytes) return 0;
  auto* sealed = reinterpret_cast<uint8_t*>(input.data());
  attend::StoreU64(size, sealed + 16);
  const uint64_t index = std::min<uint64_t>(attend::LoadU64(sealed + 24), size);
  const absl::Status status =
      attend::SealWeightCache({sealed, static_cast<size_t>(attend::kWeightCachePrefixBytes)},
                              {sealed + index, static_cast<size_t>(size - index)});
  ATTEND_CHECK(status.ok(), "a checksum can be computed");
  ReadBlobs(input);
  return 0;
}
