// Folders as they lie on disk, the hub's layout of links included.
#include "engine/checkpoint/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAre;

TEST(ModelDirectoryTest, ListsPlainFilesInOrder) {
  const TemporaryFolder folder;
  folder.Write("vocab.json", R"({"a": 0})");
  folder.Write("config.json", R"({"model_type": "marian"})");
  folder.Write(".hidden", "");
  std::filesystem::create_directory(folder.path() + "/onnx");
  std::filesystem::create_symlink("nowhere", folder.path() + "/broken.json");
  const auto directory = ModelDirectory::Open(folder.path());
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_THAT(directory->files(), ElementsAre(".hidden", "config.json", "vocab.json"));
  EXPECT_TRUE(directory->Has("vocab.json"));
  EXPECT_FALSE(directory->Has("onnx"));
  EXPECT_FALSE(directory->Has("broken.json"));
  EXPECT_FALSE(directory->Has("vocab"));
  EXPECT_EQ(*directory->config().GetString("model_type"), "marian");
  EXPECT_EQ(directory->PathOf("x"), folder.path() + "/x");
  EXPECT_EQ(ModelDirectory::Open(folder.path() + "/")->PathOf("x"), folder.path() + "/x");
}

TEST(ModelDirectoryTest, NeedsFolderAndConfig) {
  const TemporaryFolder folder;
  EXPECT_EQ(ModelDirectory::Open(folder.path() + "/none").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ModelDirectory::Open(folder.path()).status().code(), absl::StatusCode::kNotFound);
  const std::string file = folder.Write("config.json", "{");
  EXPECT_EQ(ModelDirectory::Open(file).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ModelDirectory::Open(folder.path()).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ModelDirectory::Open("").status().code(), absl::StatusCode::kNotFound);
  folder.Write("config.json", "[]");
  EXPECT_EQ(std::string(ModelDirectory::Open(folder.path()).status().message()),
            "config.json: expected an object, found an array");
}

TEST(ModelDirectoryTest, ReadsNothingOutside) {
  const TemporaryFolder folder;
  folder.Write("secret.json", "{}");
  const std::string inner = folder.path() + "/model";
  std::filesystem::create_directory(inner);
  folder.Write("model/config.json", "{}");
  const auto directory = ModelDirectory::Open(inner);
  ASSERT_TRUE(directory.ok());
  EXPECT_TRUE(directory->ReadJson("config.json").ok());
  for (const char* name : {"../secret.json", "./config.json", "", ".", "..", "none.json"}) {
    EXPECT_EQ(directory->ReadJson(name).status().code(), absl::StatusCode::kNotFound) << name;
    EXPECT_FALSE(directory->Has(name)) << name;
  }
}

TEST(ModelDirectoryTest, RevisionFollowsNamesAndContents) {
  const TemporaryFolder folder;
  folder.Write("config.json", "{}");
  folder.Write("model.safetensors", "abc");
  const auto revision = [&folder] {
    return *ModelDirectory::Open(folder.path())->ComputeRevision();
  };
  // From Python: sha256(b"config.json\0" + le64(2) + b"{}" + b"model.safetensors\0" + le64(3) +
  // b"abc").
  EXPECT_EQ(revision(), "6632f4a66e3f1ba0");
  const std::string before = revision();
  folder.Write("README.md", "no weight");
  EXPECT_EQ(revision(), before);
  folder.Write("vocab.txt", "");
  const std::string with_vocabulary = revision();
  EXPECT_NE(with_vocabulary, before);
  folder.Write("model.safetensors", "abd");
  EXPECT_NE(revision(), with_vocabulary);
}

// snapshots/<commit>/NAME -> ../../blobs/<digest>
TEST(ModelDirectoryTest, HubCacheLayout) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() + "/blobs");
  std::filesystem::create_directories(folder.path() + "/snapshots/abc");
  folder.Write("blobs/0123", R"({"d_model": 8})");
  std::filesystem::create_symlink("../../blobs/0123", folder.path() + "/snapshots/abc/config.json");
  std::filesystem::create_symlink("snapshots/abc", folder.path() + "/current");
  for (const char* name : {"/snapshots/abc", "/current"}) {
    const auto directory = ModelDirectory::Open(folder.path() + name);
    ASSERT_TRUE(directory.ok()) << directory.status();
    EXPECT_THAT(directory->files(), ElementsAre("config.json"));
    EXPECT_EQ(*directory->config().GetInt("d_model"), 8);
    EXPECT_EQ(directory->ComputeRevision()->size(), 16u);
  }
}

}  // namespace
}  // namespace attend
