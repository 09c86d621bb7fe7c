// A zip file is read from its end: the end record says where the central directory lies, the
// directory says where each member's local header lies, and the member's bytes follow that header
// (PKWARE's APPNOTE, sections 4.3 to 4.5).
#include "engine/checkpoint/zip_archive.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/little_endian.h"

namespace attend {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56,
                   kEnd64LocatorBytes = 20;
constexpr uint64_t kMaxCommentBytes = 0xffff;
constexpr uint16_t kIsEncrypted = 1 << 0, kSizesFollow = 1 << 3, kHidesHeaders = 1 << 13;
constexpr uint16_t kMaxU16 = 0xffff;
constexpr uint32_t kMaxU32 = 0xffffffff;

// Where the central directory lies.
struct Directory {
  uint64_t offset = 0, size = 0, num_members = 0;
};

struct Member {
  std::string name;
  uint16_t flags = 0;
  uint64_t size = 0;
  uint64_t header = 0;          // offset of the local header
  uint64_t begin = 0, end = 0;  // the member's bytes
};

class ZipReader {
 public:
  ZipReader(absl::Span<const uint8_t> bytes, std::string_view file) : bytes_(bytes), file_(file) {}

  absl::StatusOr<ZipMembers> Read() const {
    ATTEND_ASSIGN_OR_RETURN(const Directory directory, FindDirectory());
    std::vector<Member> members;
    uint64_t position = directory.offset;
    const uint64_t directory_end = directory.offset + directory.size;
    for (uint64_t i = 0; i < directory.num_members; ++i) {
      ATTEND_ASSIGN_OR_RETURN(Member member, ReadCentralHeader(directory_end, &position));
      ATTEND_RETURN_IF_ERROR(ReadLocalHeader(directory, &member));
      members.push_back(std::move(member));
    }
    if (position != directory_end) {
      return Corrupt(absl::StrCat("expected the directory of members to take ", directory.size,
                                  " bytes, found ", position - directory.offset));
    }
    std::sort(members.begin(), members.end(),
              [](const Member& a, const Member& b) { return a.header < b.header; });
    for (size_t i = 1; i < members.size(); ++i) {
      if (members[i].header < members[i - 1].end) {
        return Corrupt(absl::StrCat("members '", Printable(members[i - 1].name), "' and '",
                                    Printable(members[i].name), "' overlap"));
      }
    }
    ZipMembers by_name;
    for (Member& member : members) {
      const auto span = bytes_.subspan(member.begin, member.end - member.begin);
      if (const auto [position_of, is_new] = by_name.emplace(std::move(member.name), span);
          !is_new) {
        return Corrupt(absl::StrCat("member '", Printable(position_of->first), "' occurs twice"));
      }
    }
    return by_name;
  }

 private:
  absl::Status Corrupt(std::string_view what) const { return CorruptCheckpoint({file_, ""}, what); }
  absl::Status Unsupported(std::string_view what) const {
    return UnsupportedCheckpoint({file_, ""}, what);
  }
  const uint8_t* At(uint64_t offset) const { return bytes_.data() + offset; }
  // True when `count` bytes from `offset` lie before `end`. REQUIRES: end <= size of the file.
  static bool Fits(uint64_t offset, uint64_t count, uint64_t end) {
    return offset <= end && count <= end - offset;
  }

  // The end record is the last thing in the file but for its own comment.
  absl::StatusOr<uint64_t> FindEndRecord() const {
    if (bytes_.size() >= kEndBytes) {
      const uint64_t last = bytes_.size() - kEndBytes;
      const uint64_t first = last > kMaxCommentBytes ? last - kMaxCommentBytes : 0;
      for (uint64_t at = last + 1; at-- > first;) {
        if (LoadU32(At(at)) == kEndSignature && LoadU16(At(at + 20)) == last - at) return at;
      }
    }
    return Corrupt("not a zip archive, or truncated: it has no end record");
  }

  absl::StatusOr<Directory> FindDirectory() const {
    ATTEND_ASSIGN_OR_RETURN(const uint64_t end, FindEndRecord());
    const uint8_t* record = At(end);
    Directory directory;
    directory.num_members = LoadU16(record + 10);
    directory.size = LoadU32(record + 12);
    directory.offset = LoadU32(record + 16);
    bool is_one_volume = (LoadU16(record + 4) == 0 || LoadU16(record + 4) == kMaxU16) &&
                         (LoadU16(record + 6) == 0 || LoadU16(record + 6) == kMaxU16) &&
                         LoadU16(record + 8) == LoadU16(record + 10);
    uint64_t limit = end;
    if (end >= kEnd64LocatorBytes &&
        LoadU32(At(end - kEnd64LocatorBytes)) == kEnd64LocatorSignature) {
      const uint64_t locator = end - kEnd64LocatorBytes;
      const uint64_t at = LoadU64(At(locator + 8));
      if (!Fits(at, kEnd64Bytes, locator) || LoadU32(At(at)) != kEnd64Signature) {
        return Corrupt(absl::StrCat("expected a zip64 end record at byte ", at, ", found none"));
      }
      Directory wide;
      wide.num_members = LoadU64(At(at + 32));
      wide.size = LoadU64(At(at + 40));
      wide.offset = LoadU64(At(at + 48));
      // The narrow record must say the same wherever it says anything.
      if ((directory.num_members != kMaxU16 && directory.num_members != wide.num_members) ||
          (directory.size != kMaxU32 && directory.size != wide.size) ||
          (directory.offset != kMaxU32 && directory.offset != wide.offset)) {
        return Corrupt("the end record and the zip64 end record differ");
      }
      is_one_volume = is_one_volume && LoadU32(At(locator + 4)) == 0 &&
                      LoadU32(At(locator + 16)) <= 1 && LoadU32(At(at + 16)) == 0 &&
                      LoadU32(At(at + 20)) == 0 && LoadU64(At(at + 24)) == wide.num_members;
      directory = wide;
      limit = at;
    }
    if (!is_one_volume) return Unsupported("archives of several volumes are not supported");
    if (!Fits(directory.offset, directory.size, limit)) {
      return Corrupt(absl::StrCat("the directory of members (", directory.size, " bytes at ",
                                  directory.offset, ") does not fit before byte ", limit));
    }
    if (directory.num_members > directory.size / kCentralBytes) {
      return Corrupt(absl::StrCat(directory.num_members, " members do not fit into a directory of ",
                                  directory.size, " bytes"));
    }
    return directory;
  }

  // Reads the entry at *position and moves it on.
  absl::StatusOr<Member> ReadCentralHeader(uint64_t end, uint64_t* position) const {
    if (!Fits(*position, kCentralBytes, end) || LoadU32(At(*position)) != kCentralSignature) {
      return Corrupt(
          absl::StrCat("expected an entry of the directory at byte ", *position, ", found none"));
    }
    const uint8_t* header = At(*position);
    const uint64_t name_size = LoadU16(header + 28), extra_size = LoadU16(header + 30);
    const uint64_t comment_size = LoadU16(header + 32);
    if (!Fits(*position + kCentralBytes, name_size + extra_size + comment_size, end)) {
      return Corrupt(
          absl::StrCat("the entry at byte ", *position, " does not fit into the directory"));
    }
    Member member;
    member.name.assign(reinterpret_cast<const char*>(header + kCentralBytes), name_size);
    member.flags = LoadU16(header + 8);
    uint64_t stored_size = LoadU32(header + 20);
    member.size = LoadU32(header + 24);
    member.header = LoadU32(header + 42);
    const std::string printed = absl::StrCat("member '", Printable(member.name), "' ");
    if ((member.flags & (kIsEncrypted | kHidesHeaders)) != 0)
      return Unsupported(printed + "is encrypted");
    if (LoadU16(header + 10) != 0) {
      return Unsupported(
          absl::StrCat(printed, "is compressed (method ", LoadU16(header + 10), ")"));
    }
    ATTEND_RETURN_IF_ERROR(ReadZip64Extra(At(*position + kCentralBytes + name_size), extra_size,
                                          {&member.size, &stored_size, &member.header}, printed));
    if (stored_size != member.size) {
      return Corrupt(
          absl::StrCat(printed, "is stored in ", stored_size, " bytes, expected ", member.size));
    }
    *position += kCentralBytes + name_size + extra_size + comment_size;
    return member;
  }

  // Each number that did not fit into its 32 bits stands in the zip64 extra field, in this order.
  absl::Status ReadZip64Extra(const uint8_t* extra, uint64_t extra_size,
                              std::initializer_list<uint64_t*> numbers,
                              std::string_view printed) const {
    uint64_t at = 0, field_end = 0;
    while (at + 4 <= extra_size) {
      const uint64_t size = LoadU16(extra + at + 2);
      if (size > extra_size - at - 4)
        return Corrupt(absl::StrCat(std::string(printed), "has a bad extra field"));
      const bool is_zip64 = LoadU16(extra + at) == 1;
      at += 4;
      if (is_zip64) {
        field_end = at + size;
        break;
      }
      at += size;
    }
    for (uint64_t* number : numbers) {
      if (*number != kMaxU32) continue;
      if (field_end < 8 || at > field_end - 8)
        return Corrupt(absl::StrCat(std::string(printed), "lacks its 64-bit sizes"));
      *number = LoadU64(extra + at);
      at += 8;
    }
    return absl::OkStatus();
  }

  absl::Status ReadLocalHeader(const Directory& directory, Member* member) const {
    const std::string printed = absl::StrCat("member '", Printable(member->name), "' ");
    if (!Fits(member->header, kLocalBytes, directory.offset) ||
        LoadU32(At(member->header)) != kLocalSignature) {
      return Corrupt(absl::StrCat(printed, "has no header at byte ", member->header));
    }
    const uint8_t* header = At(member->header);
    const uint64_t name_size = LoadU16(header + 26), extra_size = LoadU16(header + 28);
    member->begin = member->header + kLocalBytes + name_size + extra_size;
    if (!Fits(member->begin, member->size, directory.offset)) {
      return Corrupt(absl::StrCat(printed, "of ", member->size, " bytes at ", member->begin,
                                  " does not fit before the directory at byte ", directory.offset));
    }
    member->end = member->begin + member->size;
    const std::string_view name(reinterpret_cast<const char*>(header + kLocalBytes), name_size);
    if (name != member->name)
      return Corrupt(
          absl::StrCat(printed, "has another name, '", Printable(name), "', in its header"));
    if (LoadU16(header + 8) != 0)
      return Corrupt(absl::StrCat(printed, "is compressed according to its header only"));
    if (LoadU16(header + 6) != member->flags)
      return Corrupt(absl::StrCat(printed, "has other flags in its header"));
    for (uint32_t size : {LoadU32(header + 18), LoadU32(header + 22)}) {
      // A writer that streams puts zero here and the size behind the bytes; zip64 saturates.
      if (size == member->size || size == kMaxU32 ||
          ((member->flags & kSizesFollow) != 0 && size == 0))
        continue;
      return Corrupt(
          absl::StrCat(printed, "has ", size, " bytes in its header, expected ", member->size));
    }
    return absl::OkStatus();
  }

  absl::Span<const uint8_t> bytes_;
  std::string_view file_;
};

}  // namespace

absl::StatusOr<ZipMembers> ReadZipArchive(absl::Span<const uint8_t> bytes, std::string_view file) {
  return ZipReader(bytes, file).Read();
}

}  // namespace attend
