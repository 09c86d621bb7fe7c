// The layout of a weight cache file, without the file: which named blobs lie where.
//
//   0                64                                     index_offset             end
//   | prefix         | blob, zeros to the next 64, blob, …  | index                  |
//
//   prefix   "AttendWC", version (u32), byte order of the blobs (u32, 0x01020304 as this machine
//            stores it), bytes of the whole file (u64), index_offset (u64), checksum (u64) over
//            prefix and index with this field as zeros, 24 zeros
//   index    bytes of the key (u32), number of blobs (u32), the key; for each blob, in order of
//            offset: offset (u64, a multiple of 64), size (u64, above 0), checksum (u64), bytes of
//            the name (u32), the name
//
// Numbers are little-endian, checksums as in digest.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/byte_source.h"

namespace attend {

inline constexpr uint64_t kWeightCacheAlignment = 64;
inline constexpr uint64_t kWeightCachePrefixBytes = 64;
inline constexpr uint32_t kWeightCacheVersion = 1;
inline constexpr uint64_t kMaxWeightCacheIndexBytes = uint64_t{16} << 20;
inline constexpr uint64_t kMaxWeightCacheNameBytes = 4096;  // of a key too

struct WeightCacheBlob {
  std::string name;
  uint64_t offset = 0, size = 0, checksum = 0;
};

// Reads and checks prefix and index; the blobs are not touched. DATA_LOSS / CHECKPOINT_CORRUPT when
// anything in them is wrong or the file has another size than it says, FAILED_PRECONDITION /
// MODEL_FAILED for another version, byte order or key.
absl::StatusOr<std::vector<WeightCacheBlob>> ReadWeightCacheIndex(const ByteSource& file,
                                                                  const std::string& key);

// The two parts that a writer adds around blobs that lie as `blobs` says. REQUIRES: `index_offset`
// is the first multiple of 64 after them.
struct WeightCacheFrame {
  std::string prefix, index;
};
absl::StatusOr<WeightCacheFrame> FrameWeightCache(const std::string& key,
                                                  absl::Span<const WeightCacheBlob> blobs,
                                                  uint64_t index_offset);

// Puts the right checksum into the bytes of a prefix. Tests make damage with it that the checksum
// does not see.
absl::Status SealWeightCache(absl::Span<uint8_t> prefix, absl::Span<const uint8_t> index);

}  // namespace attend
