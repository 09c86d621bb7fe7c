// Everything is copied out of the file and checked before any blob is looked at, so that a damaged
// index cannot lead anywhere. The checksum comes first: what fails after it was written wrongly.
#include "engine/checkpoint/weight_cache_index.h"

#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/digest.h"
#include "engine/checkpoint/little_endian.h"

namespace attend {
namespace {

constexpr std::string_view kMagic = "AttendWC";
constexpr uint32_t kByteOrder = 0x01020304;
constexpr size_t kVersionAt = 8, kByteOrderAt = 12, kFileBytesAt = 16, kIndexOffsetAt = 24,
                 kChecksumAt = 32, kZerosAt = 40;
constexpr uint64_t kFixedBlobBytes = 28;  // of an entry, without its name

absl::Span<const uint8_t> BytesOfText(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

uint32_t NativeU32(const uint8_t* bytes) {
  uint32_t number = 0;
  std::memcpy(&number, bytes, sizeof(number));
  return number;
}

absl::StatusOr<uint64_t> FrameChecksum(absl::Span<const uint8_t> prefix,
                                       absl::Span<const uint8_t> index) {
  const uint8_t zeros[8] = {};
  return Checksum({prefix.subspan(0, kChecksumAt), zeros, prefix.subspan(kChecksumAt + 8), index});
}

// Where the index begins.
absl::StatusOr<uint64_t> CheckPrefix(const ByteSource& file, const std::string& prefix) {
  const CheckpointPlace place = {file.name(), ""};
  const uint8_t* bytes = BytesOfText(prefix).data();
  if (prefix.compare(0, kMagic.size(), kMagic) != 0)
    return CorruptTensor(place, kMagic, absl::StrCat("'", Printable(prefix.substr(0, 8)), "'"));
  const uint32_t version = LoadU32(bytes + kVersionAt);
  if (version != kWeightCacheVersion) {
    return MismatchedTensor(place, absl::StrCat("version ", kWeightCacheVersion),
                            absl::StrCat("version ", version));
  }
  if (NativeU32(bytes + kByteOrderAt) != kByteOrder)
    return MismatchedTensor(place, "numbers in this machine's byte order", "another");
  const uint64_t file_bytes = LoadU64(bytes + kFileBytesAt);
  if (file_bytes != file.size()) {
    return CorruptTensor(place, absl::StrCat(file_bytes, " bytes, as it says"),
                         absl::StrCat(file.size()));
  }
  const uint64_t index_offset = LoadU64(bytes + kIndexOffsetAt);
  if (index_offset < kWeightCachePrefixBytes || index_offset > file_bytes ||
      index_offset % kWeightCacheAlignment != 0) {
    return CorruptTensor(place, "an index inside the file",
                         absl::StrCat("one at byte ", index_offset));
  }
  if (file_bytes - index_offset > kMaxWeightCacheIndexBytes) {
    return CorruptTensor(place, absl::StrCat("an index of at most ", kMaxWeightCacheIndexBytes),
                         absl::StrCat(file_bytes - index_offset, " bytes"));
  }
  return index_offset;
}

// Takes numbers and texts off the front of an index.
class IndexReader {
 public:
  explicit IndexReader(std::string_view bytes) : left_(bytes) {}

  bool Take(uint32_t* number) {
    if (left_.size() < 4) return false;
    *number = LoadU32(reinterpret_cast<const uint8_t*>(left_.data()));
    left_.remove_prefix(4);
    return true;
  }
  bool Take(uint64_t* number) {
    if (left_.size() < 8) return false;
    *number = LoadU64(reinterpret_cast<const uint8_t*>(left_.data()));
    left_.remove_prefix(8);
    return true;
  }
  bool Take(uint32_t size, std::string* text) {
    if (left_.size() < size) return false;
    text->assign(left_.substr(0, size));
    left_.remove_prefix(size);
    return true;
  }
  size_t left() const { return left_.size(); }

 private:
  std::string_view left_;
};

absl::StatusOr<std::vector<WeightCacheBlob>> ParseIndex(const std::string& file,
                                                        std::string_view index,
                                                        uint64_t index_offset,
                                                        const std::string& key) {
  const CheckpointPlace place = {file, ""};
  const auto cut_short = [&place] { return CorruptCheckpoint(place, "its index is cut short"); };
  IndexReader reader(index);
  uint32_t key_bytes = 0, num_blobs = 0;
  std::string found_key;
  if (!reader.Take(&key_bytes) || !reader.Take(&num_blobs) || !reader.Take(key_bytes, &found_key))
    return cut_short();
  if (found_key != key) return MismatchedTensor(place, Printable(key), Printable(found_key));
  // Before anything is reserved for them.
  if (num_blobs > reader.left() / kFixedBlobBytes) return cut_short();
  std::vector<WeightCacheBlob> blobs(num_blobs);
  std::set<std::string_view> names;
  uint64_t end = kWeightCachePrefixBytes;
  for (WeightCacheBlob& blob : blobs) {
    uint32_t name_bytes = 0;
    if (!reader.Take(&blob.offset) || !reader.Take(&blob.size) || !reader.Take(&blob.checksum) ||
        !reader.Take(&name_bytes) || !reader.Take(name_bytes, &blob.name)) {
      return cut_short();
    }
    const CheckpointPlace blob_place = {file, blob.name};
    if (blob.name.empty() || blob.name.size() > kMaxWeightCacheNameBytes)
      return CorruptCheckpoint(place, "a name in its index is empty or too long");
    if (!names.insert(blob.name).second)
      return CorruptCheckpoint(blob_place, "is in the index twice");
    if (blob.offset % kWeightCacheAlignment != 0)
      return CorruptTensor(blob_place, "a multiple of 64", absl::StrCat("byte ", blob.offset));
    if (blob.offset < end) return CorruptCheckpoint(blob_place, "overlaps what lies before it");
    if (blob.offset > index_offset || blob.size == 0 || blob.size > index_offset - blob.offset) {
      return CorruptTensor(blob_place, absl::StrCat("bytes before ", index_offset),
                           absl::StrCat(blob.size, " bytes at byte ", blob.offset));
    }
    end = blob.offset + blob.size;
  }
  if (reader.left() != 0) return CorruptCheckpoint(place, "bytes follow its index");
  return blobs;
}

void AppendU32(uint32_t number, std::string* out) {
  uint8_t bytes[4];
  StoreU32(number, bytes);
  out->append(reinterpret_cast<const char*>(bytes), sizeof(bytes));
}

void AppendU64(uint64_t number, std::string* out) {
  uint8_t bytes[8];
  StoreU64(number, bytes);
  out->append(reinterpret_cast<const char*>(bytes), sizeof(bytes));
}

}  // namespace

absl::StatusOr<std::vector<WeightCacheBlob>> ReadWeightCacheIndex(const ByteSource& file,
                                                                  const std::string& key) {
  const CheckpointPlace place = {file.name(), ""};
  if (file.size() < kWeightCachePrefixBytes)
    return ShortRead(place, 0, kWeightCachePrefixBytes, file.size());
  ATTEND_ASSIGN_OR_RETURN(const std::string prefix, file.ReadString(0, kWeightCachePrefixBytes));
  ATTEND_ASSIGN_OR_RETURN(const uint64_t index_offset, CheckPrefix(file, prefix));
  ATTEND_ASSIGN_OR_RETURN(const std::string index,
                          file.ReadString(index_offset, file.size() - index_offset));
  ATTEND_ASSIGN_OR_RETURN(const uint64_t checksum,
                          FrameChecksum(BytesOfText(prefix), BytesOfText(index)));
  if (checksum != LoadU64(BytesOfText(prefix).data() + kChecksumAt))
    return CorruptCheckpoint(place, "its index does not have the checksum that it says");
  if (prefix.find_first_not_of('\0', kZerosAt) != std::string::npos)
    return CorruptCheckpoint(place, "its prefix does not end in zeros");
  return ParseIndex(file.name(), index, index_offset, key);
}

absl::StatusOr<WeightCacheFrame> FrameWeightCache(const std::string& key,
                                                  absl::Span<const WeightCacheBlob> blobs,
                                                  uint64_t index_offset) {
  ATTEND_CHECK(index_offset % kWeightCacheAlignment == 0, "an aligned index");
  ATTEND_CHECK(key.size() <= kMaxWeightCacheNameBytes, "a key of a few words");
  WeightCacheFrame frame;
  AppendU32(static_cast<uint32_t>(key.size()), &frame.index);
  AppendU32(static_cast<uint32_t>(blobs.size()), &frame.index);
  frame.index += key;
  for (const WeightCacheBlob& blob : blobs) {
    AppendU64(blob.offset, &frame.index);
    AppendU64(blob.size, &frame.index);
    AppendU64(blob.checksum, &frame.index);
    AppendU32(static_cast<uint32_t>(blob.name.size()), &frame.index);
    frame.index += blob.name;
  }
  ATTEND_CHECK(frame.index.size() <= kMaxWeightCacheIndexBytes, "an index that may be read again");
  frame.prefix.assign(kMagic);
  AppendU32(kWeightCacheVersion, &frame.prefix);
  frame.prefix.append(reinterpret_cast<const char*>(&kByteOrder), sizeof(kByteOrder));
  AppendU64(index_offset + frame.index.size(), &frame.prefix);
  AppendU64(index_offset, &frame.prefix);
  frame.prefix.resize(kWeightCachePrefixBytes, '\0');
  ATTEND_RETURN_IF_ERROR(
      SealWeightCache({reinterpret_cast<uint8_t*>(frame.prefix.data()), frame.prefix.size()},
                      BytesOfText(frame.index)));
  return frame;
}

absl::Status SealWeightCache(absl::Span<uint8_t> prefix, absl::Span<const uint8_t> index) {
  ATTEND_CHECK(prefix.size() == kWeightCachePrefixBytes, "a whole prefix");
  ATTEND_ASSIGN_OR_RETURN(const uint64_t checksum, FrameChecksum(prefix, index));
  StoreU64(checksum, prefix.data() + kChecksumAt);
  return absl::OkStatus();
}

}  // namespace attend
