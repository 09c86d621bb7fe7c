// The zip reader: each field of each record made wrong in turn.
#include "engine/checkpoint/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/engine/checkpoint/checkpoint_files.h"

namespace attend {
namespace {

using ::testing::HasSubstr;

constexpr char kCorrupt[] = "DATA_LOSS CHECKPOINT_CORRUPT m.bin";
constexpr char kUnsupported[] = "UNIMPLEMENTED CHECKPOINT_UNSUPPORTED m.bin";

// Every member's content, or the error.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> Read(const std::string& archive) {
  const std::vector<uint8_t> bytes(archive.begin(), archive.end());
  const MemorySource source(bytes, "m.bin");
  const auto members = ReadZipArchive(source);
  if (!members.ok()) return members.status();
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, range] : *members)
    out.emplace_back(name, *source.ReadString(range.begin, range.size));
  return out;
}

std::string Outcome(const std::string& archive) { return Describe(Read(archive).status()); }

ZipToWrite TwoMembers() {
  ZipToWrite zip;
  zip.members = {{"x/one", "first content", 0, 0}, {"x/two", "", 0, 0}};
  return zip;
}

TEST(ZipArchiveTest, ReadsStoredMembers) {
  ZipToWrite zip = TwoMembers();
  for (int form = 0; form < 6; ++form) {
    zip.is_zip64 = form % 3 == 1;
    zip.has_end64 = form % 3 == 2;
    zip.comment = form < 3 ? "" : "a comment";
    const auto members = Read(WriteZip(zip).bytes);
    ASSERT_TRUE(members.ok()) << form << members.status();
    ASSERT_EQ(members->size(), 2u);
    EXPECT_EQ((*members)[0], std::make_pair(std::string("x/one"), std::string("first content")));
    EXPECT_EQ((*members)[1], std::make_pair(std::string("x/two"), std::string()));
  }
  EXPECT_TRUE(Read(WriteZip({}).bytes)->empty());
}

TEST(ZipArchiveTest, EveryTruncationIsCorrupt) {
  ZipToWrite zip = TwoMembers();
  for (int form = 0; form < 3; ++form) {
    zip.is_zip64 = form == 1;
    zip.has_end64 = form == 2;
    const std::string bytes = WriteZip(zip).bytes;
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_EQ(Outcome(bytes.substr(0, size)), kCorrupt) << size;
    // From the front, all offsets are wrong.
    for (size_t cut = 1; cut < bytes.size(); ++cut)
      EXPECT_EQ(Outcome(bytes.substr(cut)), kCorrupt) << cut;
  }
}

TEST(ZipArchiveTest, NoSingleByteChangesWhatIsReadUnseen) {
  const ZipLayout zip = WriteZip(TwoMembers());
  const auto original = Read(zip.bytes);
  ASSERT_TRUE(original.ok());
  for (size_t i = 0; i < zip.bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = zip.bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      const auto members = Read(changed);
      const bool is_content =
          i >= 35 && i < 48;  // of the first member: 30 bytes of header, 5 of name
      if (members.ok() && !is_content) {
        EXPECT_EQ(*members, *original) << "byte " << i << " bit " << bit;
      }
    }
  }
}

TEST(ZipArchiveTest, CompressedAndEncryptedAreUnsupported) {
  ZipToWrite zip = TwoMembers();
  zip.members[0].method = 8;
  EXPECT_EQ(Outcome(WriteZip(zip).bytes), kUnsupported);
  EXPECT_THAT(std::string(Read(WriteZip(zip).bytes).status().message()),
              HasSubstr("member 'x/one' is compressed (method 8)"));
  zip.members[0].method = 0;
  for (uint16_t flags : {uint16_t{1}, uint16_t{1 << 13}}) {
    zip.members[0].flags = flags;
    EXPECT_EQ(Outcome(WriteZip(zip).bytes), kUnsupported);
  }
}

TEST(ZipArchiveTest, LocalHeaderMustAgree) {
  const ZipLayout zip = WriteZip(TwoMembers());
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, 0, "QK")), kCorrupt);
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, 8, "\x08")), kCorrupt);                // method
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, 6, "\x01")), kCorrupt);                // flags
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, 18, LittleEndian(12, 4))), kCorrupt);  // stored size
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, 22, LittleEndian(0, 4))), kCorrupt);   // size
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, 26, LittleEndian(4, 2))), kCorrupt);  // length of the name
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, 28, LittleEndian(0xffff, 2))),
            kCorrupt);                                          // length of the extra field
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, 30, "y")), kCorrupt);  // name
}

TEST(ZipArchiveTest, SizesMayFollowTheBytes) {
  ZipToWrite zip = TwoMembers();
  zip.members[0].flags = 0x808;
  const ZipLayout layout = WriteZip(zip);
  EXPECT_TRUE(Read(WithBytes(layout.bytes, 18, LittleEndian(0, 8))).ok());
  EXPECT_EQ(Outcome(WithBytes(layout.bytes, 18, LittleEndian(5, 8))), kCorrupt);
}

TEST(ZipArchiveTest, DirectoryThatLies) {
  const ZipLayout zip = WriteZip(TwoMembers());
  const size_t d = zip.directory, e = zip.end;
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, d, "QK")), kCorrupt);
  for (uint64_t size : {uint64_t{0}, uint64_t{12}, uint64_t{14}, uint64_t{0x7fffffff},
                        uint64_t{0xfffffffe}, uint64_t{0xffffffff}}) {
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, d + 20, LittleEndian(size, 4))), kCorrupt) << size;
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, d + 24, LittleEndian(size, 4))), kCorrupt) << size;
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, d + 20, LittleEndian(size, 4) + LittleEndian(size, 4))),
              kCorrupt)
        << size;
  }
  for (uint64_t offset : {uint64_t{1}, uint64_t{zip.offsets[1]}, uint64_t{d}, uint64_t{d - 4},
                          uint64_t{e}, uint64_t{0xfffffffe}, uint64_t{0xffffffff}}) {
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, d + 42, LittleEndian(offset, 4))), kCorrupt)
        << offset;      // of member 0
    if (offset != d) {  // of the directory
      EXPECT_EQ(Outcome(WithBytes(zip.bytes, e + 16, LittleEndian(offset, 4))), kCorrupt) << offset;
    }
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, e + 12, LittleEndian(offset, 4))), kCorrupt)
        << offset;  // its size
  }
  for (uint64_t count : {0, 1, 3, 1000, 0xffff}) {
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, e + 8, LittleEndian(count, 2) + LittleEndian(count, 2))),
              kCorrupt)
        << count;
  }
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, d + 28, LittleEndian(0xffff, 2))),
            kCorrupt);  // name beyond the directory
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, d + 30, LittleEndian(0xffff, 2))), kCorrupt);
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, d + 32, LittleEndian(1, 2))), kCorrupt);
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, e + 4, LittleEndian(1, 2))),
            kUnsupported);  // several volumes
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, e + 8, LittleEndian(1, 2))), kUnsupported);
}

TEST(ZipArchiveTest, Zip64RecordsThatLie) {
  ZipToWrite two = TwoMembers();
  two.is_zip64 = true;
  const ZipLayout zip = WriteZip(two);
  const size_t locator = zip.end - 20, end64 = locator - 56;
  ASSERT_TRUE(Read(zip.bytes).ok());
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, end64, "QK")), kCorrupt);
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, locator, "QK")),
            kCorrupt);  // the narrow record alone says nothing
  for (uint64_t number :
       {uint64_t{1}, uint64_t{1000000}, uint64_t{INT64_MAX}, UINT64_MAX, UINT64_MAX - 45}) {
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, locator + 8, LittleEndian(number, 8))), kCorrupt)
        << number;
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, end64 + 24,
                                LittleEndian(number, 8) + LittleEndian(number, 8))),
              kCorrupt);
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, end64 + 40, LittleEndian(number, 8))), kCorrupt)
        << number;
    EXPECT_EQ(Outcome(WithBytes(zip.bytes, end64 + 48, LittleEndian(number, 8))), kCorrupt)
        << number;
    // Size, stored size, and offset in the extra field of the first member: 46 + 5 bytes, then 6
    // + 4.
    for (size_t field : {0, 8, 16}) {
      EXPECT_EQ(Outcome(WithBytes(zip.bytes, zip.directory + 61 + field, LittleEndian(number, 8))),
                kCorrupt)
          << number;
    }
  }
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, zip.directory + 59, LittleEndian(16, 2))),
            kCorrupt);  // too short a field
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, zip.directory + 57, LittleEndian(2, 2))),
            kCorrupt);  // no such field
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, zip.directory + 53, LittleEndian(0xffff, 2))), kCorrupt);
  EXPECT_EQ(Outcome(WithBytes(zip.bytes, locator + 16, LittleEndian(2, 4))), kUnsupported);

  two.is_zip64 = false;
  two.has_end64 = true;
  const ZipLayout both = WriteZip(two);
  EXPECT_THAT(
      std::string(
          Read(WithBytes(both.bytes, both.end + 10, LittleEndian(7, 2))).status().message()),
      HasSubstr("differ"));
}

TEST(ZipArchiveTest, MembersMayNotOverlapOrRepeat) {
  ZipToWrite twice = TwoMembers();
  twice.members[1].name = twice.members[0].name;
  EXPECT_THAT(std::string(Read(WriteZip(twice).bytes).status().message()),
              HasSubstr("occurs twice"));

  // A member whose content is itself a member that the directory also names.
  ZipToWrite inner;
  inner.members = {{"b", "inner", 0, 0}};
  const ZipLayout inside = WriteZip(inner);
  ZipToWrite outer;
  outer.members = {{"a", inside.bytes.substr(0, inside.directory), 0, 0}, {"b", "inner", 0, 0}};
  const ZipLayout layout = WriteZip(outer);
  ASSERT_TRUE(Read(layout.bytes).ok());
  const size_t second_entry = layout.directory + 46 + 1;
  const std::string overlapping =
      WithBytes(layout.bytes, second_entry + 42, LittleEndian(layout.offsets[0] + 31, 4));
  EXPECT_THAT(std::string(Read(overlapping).status().message()), HasSubstr("overlap"));
}

}  // namespace
}  // namespace attend
