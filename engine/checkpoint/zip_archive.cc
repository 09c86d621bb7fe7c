// A zip file is read from its end: the end record says where the central directory lies, the
// directory says where each member's local header lies, and the member's bytes follow that header
// (PKWARE's APPNOTE, sections 4.3 to 4.5).
#include "engine/checkpoint/zip_archive.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>
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
constexpr uint64_t kMaxDirectoryBytes = uint64_t{4} << 20;  // torch writes about 80 a tensor
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
  explicit ZipReader(const ByteSource& source) : source_(source) {}

  absl::StatusOr<ZipMembers> Read() {
    ATTEND_ASSIGN_OR_RETURN(const Directory directory, FindDirectory());
    ATTEND_ASSIGN_OR_RETURN(const std::string text,
                            source_.ReadString(directory.offset, directory.size));
    std::vector<Member> members;
    uint64_t position = 0;
    for (uint64_t i = 0; i < directory.num_members; ++i) {
      ATTEND_ASSIGN_OR_RETURN(Member member, ReadCentralHeader(directory, text, &position));
      ATTEND_RETURN_IF_ERROR(ReadLocalHeader(directory, &member));
      members.push_back(std::move(member));
    }
    if (position != directory.size) {
      return Corrupt(absl::StrCat("expected the directory of members to take ", directory.size,
                                  " bytes, found ", position));
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
      const ByteRange range = {member.begin, member.end - member.begin};
      if (const auto [position_of, is_new] = by_name.emplace(std::move(member.name), range);
          !is_new) {
        return Corrupt(absl::StrCat("member '", Printable(position_of->first), "' occurs twice"));
      }
    }
    return by_name;
  }

 private:
  absl::Status Corrupt(std::string_view what) const {
    return CorruptCheckpoint({source_.name(), ""}, what);
  }
  absl::Status Unsupported(std::string_view what) const {
    return UnsupportedCheckpoint({source_.name(), ""}, what);
  }
  static const uint8_t* At(const std::string& text, uint64_t offset) {
    return reinterpret_cast<const uint8_t*>(text.data()) + offset;
  }
  // True when `count` bytes from `offset` lie before `end`. REQUIRES: end <= size of the file.
  static bool Fits(uint64_t offset, uint64_t count, uint64_t end) {
    return offset <= end && count <= end - offset;
  }

  struct EndRecord {
    uint64_t offset = 0;
    std::string bytes;  // without its comment
  };

  // The end record is the last thing in the file but for its own comment.
  absl::StatusOr<EndRecord> FindEndRecord() const {
    const uint64_t tail_size = std::min(source_.size(), kEndBytes + kMaxCommentBytes);
    const uint64_t tail_begin = source_.size() - tail_size;
    ATTEND_ASSIGN_OR_RETURN(const std::string tail, source_.ReadString(tail_begin, tail_size));
    if (tail_size >= kEndBytes) {
      const uint64_t last = tail_size - kEndBytes;
      for (uint64_t at = last + 1; at-- > 0;) {
        if (LoadU32(At(tail, at)) == kEndSignature && LoadU16(At(tail, at + 20)) == last - at)
          return EndRecord{tail_begin + at, tail.substr(at, kEndBytes)};
      }
    }
    return Corrupt("not a zip archive, or truncated: it has no end record");
  }

  // The zip64 end record's place, when a locator stands before the end record.
  absl::StatusOr<std::optional<uint64_t>> FindEnd64Record(uint64_t end, bool* is_one_volume) const {
    if (end < kEnd64LocatorBytes) return std::optional<uint64_t>();
    const uint64_t at = end - kEnd64LocatorBytes;
    ATTEND_ASSIGN_OR_RETURN(const std::string locator, source_.ReadString(at, kEnd64LocatorBytes));
    if (LoadU32(At(locator, 0)) != kEnd64LocatorSignature) return std::optional<uint64_t>();
    *is_one_volume =
        *is_one_volume && LoadU32(At(locator, 4)) == 0 && LoadU32(At(locator, 16)) <= 1;
    const uint64_t record = LoadU64(At(locator, 8));
    if (!Fits(record, kEnd64Bytes, at)) {
      return Corrupt(absl::StrCat("expected a zip64 end record at byte ", record, ", found none"));
    }
    return std::optional<uint64_t>(record);
  }

  absl::StatusOr<Directory> FindDirectory() const {
    ATTEND_ASSIGN_OR_RETURN(const EndRecord end, FindEndRecord());
    const uint8_t* record = At(end.bytes, 0);
    Directory directory;
    directory.num_members = LoadU16(record + 10);
    directory.size = LoadU32(record + 12);
    directory.offset = LoadU32(record + 16);
    bool is_one_volume = (LoadU16(record + 4) == 0 || LoadU16(record + 4) == kMaxU16) &&
                         (LoadU16(record + 6) == 0 || LoadU16(record + 6) == kMaxU16) &&
                         LoadU16(record + 8) == LoadU16(record + 10);
    uint64_t limit = end.offset;
    ATTEND_ASSIGN_OR_RETURN(const std::optional<uint64_t> end64,
                            FindEnd64Record(end.offset, &is_one_volume));
    if (end64.has_value()) {
      ATTEND_ASSIGN_OR_RETURN(const std::string wide_record,
                              source_.ReadString(*end64, kEnd64Bytes));
      if (LoadU32(At(wide_record, 0)) != kEnd64Signature) {
        return Corrupt(
            absl::StrCat("expected a zip64 end record at byte ", *end64, ", found none"));
      }
      Directory wide;
      wide.num_members = LoadU64(At(wide_record, 32));
      wide.size = LoadU64(At(wide_record, 40));
      wide.offset = LoadU64(At(wide_record, 48));
      // The narrow record must say the same wherever it says anything.
      if ((directory.num_members != kMaxU16 && directory.num_members != wide.num_members) ||
          (directory.size != kMaxU32 && directory.size != wide.size) ||
          (directory.offset != kMaxU32 && directory.offset != wide.offset)) {
        return Corrupt("the end record and the zip64 end record differ");
      }
      is_one_volume = is_one_volume && LoadU32(At(wide_record, 16)) == 0 &&
                      LoadU32(At(wide_record, 20)) == 0 &&
                      LoadU64(At(wide_record, 24)) == wide.num_members;
      directory = wide;
      limit = *end64;
    }
    if (!is_one_volume) return Unsupported("archives of several volumes are not supported");
    if (!Fits(directory.offset, directory.size, limit)) {
      return Corrupt(absl::StrCat("the directory of members (", directory.size, " bytes at ",
                                  directory.offset, ") does not fit before byte ", limit));
    }
    if (directory.size > kMaxDirectoryBytes) {
      return Corrupt(absl::StrCat("expected a directory of at most ", kMaxDirectoryBytes,
                                  " bytes, found ", directory.size));
    }
    if (directory.num_members > directory.size / kCentralBytes) {
      return Corrupt(absl::StrCat(directory.num_members, " members do not fit into a directory of ",
                                  directory.size, " bytes"));
    }
    return directory;
  }

  // Reads the entry at *position of the directory's `text` and moves it on.
  absl::StatusOr<Member> ReadCentralHeader(const Directory& directory, const std::string& text,
                                           uint64_t* position) const {
    const uint64_t place = directory.offset + *position;  // for messages
    if (!Fits(*position, kCentralBytes, text.size()) ||
        LoadU32(At(text, *position)) != kCentralSignature) {
      return Corrupt(
          absl::StrCat("expected an entry of the directory at byte ", place, ", found none"));
    }
    const uint8_t* header = At(text, *position);
    const uint64_t name_size = LoadU16(header + 28), extra_size = LoadU16(header + 30);
    const uint64_t comment_size = LoadU16(header + 32);
    if (!Fits(*position + kCentralBytes, name_size + extra_size + comment_size, text.size())) {
      return Corrupt(absl::StrCat("the entry at byte ", place, " does not fit into the directory"));
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
    ATTEND_RETURN_IF_ERROR(ReadZip64Extra(header + kCentralBytes + name_size, extra_size,
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
    const auto no_header = [&] {
      return Corrupt(absl::StrCat(printed, "has no header at byte ", member->header));
    };
    if (!Fits(member->header, kLocalBytes, directory.offset)) return no_header();
    uint8_t header[kLocalBytes];
    ATTEND_RETURN_IF_ERROR(source_.Read(member->header, header));
    if (LoadU32(header) != kLocalSignature) return no_header();
    const uint64_t name_size = LoadU16(header + 26), extra_size = LoadU16(header + 28);
    member->begin = member->header + kLocalBytes + name_size + extra_size;
    if (!Fits(member->begin, member->size, directory.offset)) {
      return Corrupt(absl::StrCat(printed, "of ", member->size, " bytes at ", member->begin,
                                  " does not fit before the directory at byte ", directory.offset));
    }
    member->end = member->begin + member->size;
    ATTEND_ASSIGN_OR_RETURN(const std::string name,
                            source_.ReadString(member->header + kLocalBytes, name_size));
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

  const ByteSource& source_;
};

}  // namespace

absl::StatusOr<ZipMembers> ReadZipArchive(const ByteSource& source) {
  return ZipReader(source).Read();
}

}  // namespace attend
