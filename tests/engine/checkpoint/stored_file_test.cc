// Files read by position: what they hold, why they cannot be opened, and files that change while
// they are read.
#include "engine/checkpoint/stored_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(StoredFileTest, ReadsFromAnyPosition) {
  const TemporaryFolder folder;
  const auto file = StoredFile::Open(folder.Write("a.bin", "hello"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size(), 5u);
  EXPECT_EQ(*(*file)->ReadString(0, 5), "hello");
  EXPECT_EQ(*(*file)->ReadString(2, 2), "ll");
  EXPECT_EQ(*(*file)->ReadString(5, 0), "");
  EXPECT_EQ((*file)->path(), folder.path() + "/a.bin");
  EXPECT_EQ((*file)->name(), "a.bin");
  EXPECT_EQ((*StoredFile::Open(folder.Write("empty", "")))->size(), 0u);
}

TEST(StoredFileTest, SaysWhyItCannot) {
  const TemporaryFolder folder;
  const std::string missing = folder.path() + "/none";
  EXPECT_EQ(Describe(StoredFile::Open(missing).status()),
            "NOT_FOUND CHECKPOINT_FILE_MISSING " + missing);
  EXPECT_EQ(Describe(StoredFile::Open(folder.path()).status()),
            "FAILED_PRECONDITION CHECKPOINT_FILE_UNREADABLE " + folder.path());
  const std::string file = folder.Write("file", "x");
  EXPECT_EQ(StoredFile::Open(file + "/below").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(StoredFile::Open(file + std::string("\0y", 2)).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(StoredFileTest, NamedPipeIsRefusedWithoutWaiting) {
  const TemporaryFolder folder;
  const std::string pipe = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(StoredFile::Open(pipe).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(StoredFileTest, LinkInACircle) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("b", folder.path() + "/a");
  std::filesystem::create_symlink("a", folder.path() + "/b");
  EXPECT_EQ(StoredFile::Open(folder.path() + "/a").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// A mapping of such a file would end the process.
TEST(StoredFileTest, AFileCutShortWhileItIsOpenIsDataLoss) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("m.bin", std::string(100000, 'x'));
  const auto file = StoredFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  std::filesystem::resize_file(path, 5000);
  std::string bytes(100000, '\0');
  const absl::Status read =
      (*file)->Read(0, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()}, "w");
  EXPECT_EQ(Describe(read), "DATA_LOSS CHECKPOINT_CORRUPT m.bin w");
  EXPECT_THAT(std::string(read.message()),
              AllOf(HasSubstr("expected 100000 bytes at byte 0"), HasSubstr("found 5000")));
  EXPECT_TRUE((*file)->ReadString(0, 5000).ok());
  EXPECT_FALSE((*file)->ReadString(4000, 1001).ok());
  EXPECT_FALSE((*file)->ReadString(UINT64_MAX, 1).ok());
}

TEST(StoredFileTest, GitLfsPointers) {
  const TemporaryFolder folder;
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
  const absl::Status refused =
      (*StoredFile::Open(folder.Write("m.bin", pointer)))->RefuseLfsPointer();
  EXPECT_EQ(Describe(refused), "DATA_LOSS CHECKPOINT_CORRUPT m.bin");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("git lfs pull"));
  for (const char* other : {"", "version", "{\"version https://git-lfs\": 1}"}) {
    EXPECT_TRUE((*StoredFile::Open(folder.Write("x", other)))->RefuseLfsPointer().ok()) << other;
  }
}

}  // namespace
}  // namespace attend
