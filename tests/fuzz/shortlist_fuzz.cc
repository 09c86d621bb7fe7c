// Any bytes either are refused or give lists of which every id lies in its vocabulary. The checksum
// would keep nearly all mutations away from what comes after it, so each input is tried with the
// right one as well.
#include <algorithm>
#include <cstdint>
#include <string>

#include "engine/base/check.h"
#include "engine/checkpoint/little_endian.h"
#include "engine/checkpoint/shortlist_file.h"

namespace {

void CheckIds(absl::Span<const int32_t> ids, int64_t limit) {
  ATTEND_CHECK(std::is_sorted(ids.begin(), ids.end()), "lists ascend");
  ATTEND_CHECK(ids.empty() || (ids.front() >= 0 && ids.back() < limit), "ids of the vocabulary");
}

void Read(const std::string& bytes) {
  const attend::MemorySource source({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                                    "fuzz.shortlist");
  const auto file = attend::ReadShortlist(source);
  if (!file.ok()) {
    ATTEND_CHECK(file.status().code() == absl::StatusCode::kDataLoss ||
                     file.status().code() == absl::StatusCode::kUnimplemented,
                 "bad bytes are data loss, another version is not implemented");
    return;
  }
  CheckIds(file->always, file->target_vocab_size);
  for (int64_t token = 0; token < file->source_vocab_size; ++token)
    CheckIds(file->TokensOf(token), file->target_vocab_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::string input(reinterpret_cast<const char*>(bytes), size);
  Read(input);
  if (size < 24) return 0;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 24; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  attend::StoreU64(hash, reinterpret_cast<uint8_t*>(input.data()) + 16);
  Read(input);
  return 0;
}
