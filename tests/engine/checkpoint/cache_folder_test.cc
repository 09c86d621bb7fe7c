// Which folder is chosen, and that nothing but a missed file comes of one that cannot be used.
#include "engine/checkpoint/cache_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "engine/checkpoint/model_directory.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

CacheChoice InModelFolder() {
  CacheChoice choice;
  choice.in_model_folder = true;
  return choice;
}

CacheChoice Shared(const std::string& folder) {
  CacheChoice choice;
  choice.shared_folder = folder;
  return choice;
}

class CacheFolderTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(model_); }

  TemporaryFolder folder_;
  const std::string model_ = folder_.Path("opus mt");
};

TEST_F(CacheFolderTest, Off) {
  for (const CacheFolder& cache : {CacheFolder(), CacheFolder(CacheChoice(), model_)}) {
    EXPECT_TRUE(cache.is_off());
    EXPECT_TRUE(cache.Find("x").empty());
    EXPECT_EQ(cache.PathForWriting("x").status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

TEST_F(CacheFolderTest, InTheModelFolder) {
  const CacheFolder cache(InModelFolder(), model_);
  EXPECT_TRUE(cache.Find("x").empty());
  EXPECT_FALSE(std::filesystem::exists(model_ + "/.attend")) << "looking makes no folder";
  EXPECT_EQ(cache.PathForWriting("x").value(), model_ + "/.attend/x");
  EXPECT_TRUE(std::filesystem::is_directory(model_ + "/.attend"));
  folder_.Write("opus mt/.attend/x", "1");
  EXPECT_THAT(cache.Find("x"), ElementsAre(model_ + "/.attend/x"));
  EXPECT_EQ(cache.PathForWriting("y").value(), model_ + "/.attend/y") << "the folder is there";
}

TEST_F(CacheFolderTest, SharedFoldersHaveASubFolderForEachModel) {
  const std::string shared = folder_.Path("a/b/cache");
  const CacheFolder cache(Shared(shared), model_);
  const std::string path = cache.PathForWriting("x").value();
  EXPECT_THAT(path, MatchesRegex(".*/a/b/cache/opus_mt-[0-9a-f]{16}/x"));
  EXPECT_EQ(CacheFolder(Shared(shared), model_ + "/").PathForWriting("x").value(), path);
  EXPECT_EQ(CacheFolder(Shared(shared), folder_.Path("./opus mt")).PathForWriting("x").value(),
            path);
  std::filesystem::create_directories(folder_.Path("other/opus mt"));
  EXPECT_NE(CacheFolder(Shared(shared), folder_.Path("other/opus mt")).PathForWriting("x").value(),
            path);
}

// A file stands where the folder would be made: nobody, root included, can make it there.
TEST_F(CacheFolderTest, TheNextFolderWhereTheFirstCannotBeWritten) {
  folder_.Write("opus mt/.attend", "in the way");
  CacheChoice choice = InModelFolder();
  EXPECT_THAT(std::string(CacheFolder(choice, model_).PathForWriting("x").status().message()),
              HasSubstr(model_ + "/.attend: Not a directory"));
  choice.shared_folder = folder_.Path("user");
  EXPECT_THAT(CacheFolder(choice, model_).PathForWriting("x").value(), HasSubstr("/user/opus_mt-"));
  folder_.Write("file", "also in the way");
  choice.shared_folder = folder_.Path("file/cache");
  const absl::Status status = CacheFolder(choice, model_).PathForWriting("x").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(model_ + "/.attend: "), HasSubstr("/file/cache/opus_mt-")));
}

TEST_F(CacheFolderTest, FindsInEveryFolder) {
  CacheChoice choice = InModelFolder();
  choice.shared_folder = folder_.Path("user");
  const CacheFolder both(choice, model_);
  const std::string first = both.PathForWriting("x").value();
  const std::string second =
      CacheFolder(Shared(choice.shared_folder), model_).PathForWriting("x").value();
  folder_.Write(std::filesystem::relative(second, folder_.path()).string(), "2");
  EXPECT_THAT(both.Find("x"), ElementsAre(second));
  folder_.Write(std::filesystem::relative(first, folder_.path()).string(), "1");
  EXPECT_THAT(both.Find("x"), ElementsAre(first, second));
}

TEST_F(CacheFolderTest, IsNoPartOfTheModel) {
  folder_.Write("opus mt/config.json", "{}");
  const auto describe = [this] {
    const auto directory = ModelDirectory::Open(model_);
    return directory->ComputeRevision().value() + " " + std::to_string(directory->files().size());
  };
  const std::string before = describe();
  ASSERT_TRUE(CacheFolder(InModelFolder(), model_).PathForWriting("x").ok());
  folder_.Write("opus mt/.attend/vocab.json", "{}");
  EXPECT_EQ(describe(), before);
}

}  // namespace
}  // namespace attend
