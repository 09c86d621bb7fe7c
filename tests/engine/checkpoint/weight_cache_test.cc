// What is written comes back, and every kind of damage is refused and named.
#include "engine/checkpoint/weight_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>

#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kKey[] = "0123456789abcdef int8 1";
constexpr size_t kFileBytesAt = 16, kIndexOffsetAt = 24;

absl::Span<const std::byte> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string Text(absl::Span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Blob {
  std::string name, content;
};

void WriteCache(const std::string& path, const std::vector<Blob>& blobs,
                const std::string& key = kKey) {
  const auto writer = WeightCacheWriter::Create(path, key);
  ASSERT_TRUE(writer.ok()) << writer.status();
  for (const Blob& blob : blobs) ASSERT_TRUE((*writer)->Add(blob.name, Bytes(blob.content)).ok());
  const absl::Status committed = (*writer)->Commit();
  ASSERT_TRUE(committed.ok()) << committed;
}

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

uint64_t NumberAt(const std::string& bytes, size_t offset) {
  uint64_t number = 0;
  for (int i = 7; i >= 0; --i)
    number = number << 8 | static_cast<uint8_t>(bytes[offset + static_cast<size_t>(i)]);
  return number;
}

// A file of two blobs whose bytes a test changes.
class DamagedCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = folder_.Path("cache.panels");
    WriteCache(path_, {{"first", std::string(100, 'a')}, {"second", std::string(64, 'b')}});
    bytes_ = ReadWholeFile(path_);
    index_ = NumberAt(bytes_, kIndexOffsetAt);
    first_ = index_ + 8 + std::strlen(kKey);
    second_ = first_ + 28 + std::strlen("first");
  }

  // Changes the file and gives it the right size and checksum.
  void Seal() {
    const std::string size = LittleEndian(bytes_.size(), 8);
    bytes_ = WithBytes(bytes_, kFileBytesAt, size);
    auto* bytes = reinterpret_cast<uint8_t*>(bytes_.data());
    ASSERT_TRUE(
        SealWeightCache({bytes, 64}, {bytes + index_, bytes_.size() - static_cast<size_t>(index_)})
            .ok());
  }
  void Change(size_t offset, std::string_view replacement) {
    bytes_ = WithBytes(bytes_, offset, replacement);
  }
  absl::Status OpenStatus() {
    folder_.Write("cache.panels", bytes_);
    return WeightCacheFile::Open(path_, kKey).status();
  }
  void ExpectCorrupt(const char* what) {
    const absl::Status status = OpenStatus();
    EXPECT_THAT(Describe(status), HasSubstr("DATA_LOSS CHECKPOINT_CORRUPT cache.panels")) << what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  }

  TemporaryFolder folder_;
  std::string path_, bytes_;
  size_t index_ = 0, first_ = 0, second_ = 0;
};

TEST(WeightCacheTest, WhatIsWrittenComesBack) {
  const TemporaryFolder folder;
  const std::string path = folder.Path("cache.panels");
  const std::string large(1 << 20, 'x');
  WriteCache(path, {{"z", large}, {"a", "1"}, {std::string("b\0", 2), "22"}});
  EXPECT_THAT(FilesIn(folder.path()), ElementsAre("cache.panels"));
  const auto file = WeightCacheFile::Open(path, kKey);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->names(), ElementsAre("z", "a", std::string("b\0", 2)));
  EXPECT_EQ(Text((*file)->Find("z")), large);
  EXPECT_EQ(Text((*file)->Find("a")), "1");
  EXPECT_EQ(Text((*file)->Find(std::string_view("b\0", 2))), "22");
  EXPECT_TRUE((*file)->Find("b").empty());
  EXPECT_TRUE((*file)->Find("").empty());
  for (const std::string& name : (*file)->names()) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>((*file)->Find(name).data()) % 64, 0u) << name;
  }
  EXPECT_EQ((*file)->path(), path);
  EXPECT_EQ((*file)->bytes(), std::filesystem::file_size(path));
  EXPECT_TRUE((*file)->Verify().ok());
}

TEST(WeightCacheTest, NoBlobsAtAll) {
  const TemporaryFolder folder;
  WriteCache(folder.Path("empty.panels"), {}, "");
  const auto file = WeightCacheFile::Open(folder.Path("empty.panels"), "");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->names().empty());
  EXPECT_TRUE((*file)->Verify().ok());
}

TEST(WeightCacheTest, AbsentOrNotOurs) {
  const TemporaryFolder folder;
  const std::string path = folder.Path("cache.panels");
  EXPECT_EQ(WeightCacheFile::Open(path, kKey).status().code(), absl::StatusCode::kNotFound);
  WriteCache(path, {{"a", "1"}});
  const auto code = [](const std::string& at) {
    return WeightCacheFile::Open(at, kKey).status().code();
  };
  std::filesystem::create_symlink("cache.panels", folder.Path("link"));
  EXPECT_EQ(code(folder.Path("link")), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(folder.path()), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(::mkfifo(folder.Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(code(folder.Path("pipe")), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(::chmod(path.c_str(), 0664), 0);
  const absl::Status status = WeightCacheFile::Open(path, kKey).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("may be written by other users"));
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(code(path), absl::StatusCode::kOk);
}

TEST(WeightCacheTest, FileOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const TemporaryFolder folder;
  const std::string path = folder.Path("cache.panels");
  WriteCache(path, {{"a", "1"}});
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  const absl::Status status = WeightCacheFile::Open(path, kKey).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("belongs to another user"));
}

TEST(WeightCacheTest, ReplacedOrRemovedWhileItIsUsed) {
  const TemporaryFolder folder;
  const std::string path = folder.Path("cache.panels");
  WriteCache(path, {{"a", std::string(10000, 'o')}});
  const auto old_file = WeightCacheFile::Open(path, kKey);
  ASSERT_TRUE(old_file.ok());
  WriteCache(path, {{"a", "new"}});
  EXPECT_EQ(Text((*old_file)->Find("a")), std::string(10000, 'o'));
  EXPECT_EQ(Text((*WeightCacheFile::Open(path, kKey))->Find("a")), "new");
  std::filesystem::remove(path);
  EXPECT_TRUE((*old_file)->Verify().ok());
}

TEST(WeightCacheTest, TwoWritersAtOnce) {
  const TemporaryFolder folder;
  const std::string path = folder.Path("cache.panels");
  const auto one = WeightCacheWriter::Create(path, kKey);
  const auto two = WeightCacheWriter::Create(path, kKey);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(FilesIn(folder.path()).size(), 2u);
  ASSERT_TRUE((*one)->Add("a", Bytes("one")).ok());
  ASSERT_TRUE((*two)->Add("a", Bytes("two")).ok());
  ASSERT_TRUE((*two)->Commit().ok());
  ASSERT_TRUE((*one)->Commit().ok());
  EXPECT_EQ(Text((*WeightCacheFile::Open(path, kKey))->Find("a")), "one");
  EXPECT_THAT(FilesIn(folder.path()), ElementsAre("cache.panels"));
}

TEST(WeightCacheTest, WithoutCommitNothingStays) {
  const TemporaryFolder folder;
  {
    const auto writer = WeightCacheWriter::Create(folder.Path("cache.panels"), kKey);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Add("a", Bytes("1")).ok());
    EXPECT_EQ((*writer)->bytes(), 65u);
    EXPECT_FALSE(std::filesystem::exists(folder.Path("cache.panels")));
  }
  EXPECT_TRUE(FilesIn(folder.path()).empty());
}

TEST(WeightCacheTest, FoldersThatTakeNothing) {
  const TemporaryFolder folder;
  const std::string missing = folder.Path("none/cache.panels");
  const absl::Status status = WeightCacheWriter::Create(missing, kKey).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(missing));
  std::filesystem::create_directory(folder.Path("cache.panels"));
  {
    const auto writer = WeightCacheWriter::Create(folder.Path("cache.panels"), kKey);
    ASSERT_TRUE(writer.ok());
    const absl::Status commit = (*writer)->Commit();
    EXPECT_EQ(commit.code(), absl::StatusCode::kFailedPrecondition) << "a folder has the name";
    EXPECT_EQ((*writer)->Add("a", Bytes("1")), commit) << "an error stays";
  }
  EXPECT_THAT(FilesIn(folder.path()), ElementsAre("cache.panels"));
}

// A limit on the size of files stands for a disk that is full: the system refuses in the middle of
// a blob.
TEST(WeightCacheTest, DiskFull) {
  const TemporaryFolder folder;
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto signal_before = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  {
    const auto writer = WeightCacheWriter::Create(folder.Path("cache.panels"), kKey);
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE((*writer)->Add("fits", Bytes("1")).ok());
    const absl::Status status = (*writer)->Add("does not", Bytes(std::string(2000, 'x')));
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_EQ((*writer)->Commit(), status);
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, signal_before);
  EXPECT_TRUE(FilesIn(folder.path()).empty());
}

TEST_F(DamagedCacheTest, TheFileItselfIsSound) {
  Seal();
  EXPECT_TRUE(OpenStatus().ok());
}

TEST_F(DamagedCacheTest, CutShortAnywhere) {
  const std::string whole = bytes_;
  for (size_t size = 0; size < whole.size(); ++size) {
    bytes_ = whole.substr(0, size);
    ASSERT_EQ(OpenStatus().code(), absl::StatusCode::kDataLoss) << size;
  }
  bytes_ = whole + "x";
  ExpectCorrupt("as it says");
}

TEST_F(DamagedCacheTest, AnyBitOfPrefixOrIndex) {
  const std::string whole = bytes_;
  for (size_t at = 0; at < whole.size(); at = at == 63 ? index_ : at + 1) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes_ = whole;
      bytes_[at] = static_cast<char>(bytes_[at] ^ (1 << bit));
      ASSERT_FALSE(OpenStatus().ok()) << "byte " << at << " bit " << bit;
    }
  }
}

TEST_F(DamagedCacheTest, BlobsAreCheckedOnDemand) {
  Change(64 + 99, "?");
  folder_.Write("cache.panels", bytes_);
  const auto file = WeightCacheFile::Open(path_, kKey);
  ASSERT_TRUE(file.ok()) << "opening does not read blobs";
  EXPECT_EQ(Describe((*file)->Verify()), "DATA_LOSS CHECKPOINT_CORRUPT cache.panels first");
}

TEST_F(DamagedCacheTest, WrongMagicVersionByteOrderAndKey) {
  Change(0, "AttendWX");
  ExpectCorrupt("expected AttendWC, found 'AttendWX'");
  Change(0, "AttendWC");
  Change(8, LittleEndian(2, 4));
  Seal();
  EXPECT_THAT(OpenStatus().ToString(), HasSubstr("expected version 1, found version 2"));
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kFailedPrecondition);
  Change(8, LittleEndian(1, 4));
  const std::string order = bytes_.substr(12, 4);
  Change(12, std::string(order.rbegin(), order.rend()));
  Seal();
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(OpenStatus().ToString(), HasSubstr("byte order"));
  Change(12, order);
  Seal();
  EXPECT_TRUE(OpenStatus().ok());
  const absl::Status other = WeightCacheFile::Open(path_, "fedcba9876543210 int8 1").status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()),
              HasSubstr("expected fedcba9876543210 int8 1, found 0123456789abcdef int8 1"));
}

TEST_F(DamagedCacheTest, IndexElsewhere) {
  for (const uint64_t offset :
       {uint64_t{0}, uint64_t{32}, uint64_t{index_ + 1}, uint64_t{1} << 63, ~uint64_t{0}}) {
    Change(kIndexOffsetAt, LittleEndian(offset, 8));
    ExpectCorrupt("expected an index inside the file");
  }
}

TEST_F(DamagedCacheTest, HugeIndex) {
  // A sparse file: its index would be all but the prefix.
  Change(kFileBytesAt, LittleEndian(uint64_t{1} << 40, 8));
  Change(kIndexOffsetAt, LittleEndian(64, 8));
  folder_.Write("cache.panels", bytes_);
  ASSERT_EQ(::truncate(path_.c_str(), off_t{1} << 40), 0);
  const absl::Status status = WeightCacheFile::Open(path_, kKey).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("an index of at most"));
}

TEST_F(DamagedCacheTest, HugeCounts) {
  for (const uint64_t count : {uint64_t{3}, uint64_t{0x7fffffff}, uint64_t{0xffffffff}}) {
    Change(index_ + 4, LittleEndian(count, 4));
    Seal();
    ExpectCorrupt("its index is cut short");
  }
  Change(index_ + 4, LittleEndian(1, 4));
  Seal();
  ExpectCorrupt("bytes follow its index");
  Change(index_ + 4, LittleEndian(2, 4));
  Change(index_, LittleEndian(0xffffffff, 4));
  Seal();
  ExpectCorrupt("its index is cut short");
}

TEST_F(DamagedCacheTest, BlobsOutsideTheirPlace) {
  const auto put = [this](size_t entry, uint64_t offset, uint64_t size) {
    Change(entry, LittleEndian(offset, 8) + LittleEndian(size, 8));
    Seal();
  };
  put(second_, 192, index_ - 192);
  EXPECT_TRUE(OpenStatus().ok());
  put(second_, 192, index_ - 192 + 1);
  ExpectCorrupt("tensor 'second': expected bytes before");
  put(second_, 192, ~uint64_t{0} - 100);
  ExpectCorrupt("tensor 'second': expected bytes before");
  put(second_, uint64_t{1} << 63, 64);
  ExpectCorrupt("tensor 'second': expected bytes before");
  put(second_, 192, 0);
  ExpectCorrupt("tensor 'second': expected bytes before");
  put(second_, 200, 1);
  ExpectCorrupt("tensor 'second': expected a multiple of 64, found byte 200");
  put(second_, 128, 64);
  ExpectCorrupt("tensor 'second': overlaps");
  put(second_, 192, 64);
  put(first_, 0, 64);
  ExpectCorrupt("tensor 'first': overlaps");
}

TEST_F(DamagedCacheTest, Names) {
  const size_t name = second_ + 28;
  Change(second_ + 24, LittleEndian(5, 4));
  Change(name, "first");
  bytes_.resize(name + 5);
  Seal();
  ExpectCorrupt("tensor 'first': is in the index twice");
  Change(second_ + 24, LittleEndian(0, 4));
  bytes_.resize(name);
  Seal();
  ExpectCorrupt("empty or too long");
  Change(second_ + 24, LittleEndian(4097, 4));
  bytes_ += std::string(4097, 'n');
  Seal();
  ExpectCorrupt("empty or too long");
}

}  // namespace
}  // namespace attend
