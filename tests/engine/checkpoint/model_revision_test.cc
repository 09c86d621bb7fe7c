// A stamp is trusted for exactly the files that it was made for.
#include "engine/checkpoint/model_revision.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

class ModelRevisionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(folder_.Path("model"));
    folder_.Write("model/config.json", "{}");
    folder_.Write("model/model.safetensors", "abc");
    CacheChoice choice;
    choice.in_model_folder = true;
    cache_ = CacheFolder(choice, folder_.Path("model"));
  }

  ModelDirectory Directory() const { return ModelDirectory::Open(folder_.Path("model")).value(); }
  // As if the files had been still for a while; their time of change cannot be set.
  ModelRevision Revision() const {
    return RevisionOf(Directory(), cache_, absl::Now() + absl::Seconds(10)).value();
  }
  std::string Stamp() const { return folder_.Path("model/.attend/revision.stamp"); }
  void ExpectComputed(const char* what) const {
    const ModelRevision revision = Revision();
    EXPECT_FALSE(revision.is_from_stamp) << what;
    EXPECT_EQ(revision.id, Directory().ComputeRevision().value()) << what;
  }
  void ExpectTrusted(const char* what) const {
    const ModelRevision revision = Revision();
    EXPECT_TRUE(revision.is_from_stamp) << what;
    EXPECT_EQ(revision.id, Directory().ComputeRevision().value()) << what;
  }

  // Waits until the file system's clock, which ticks every few milliseconds, has gone on since a
  // file changed: what production does by the two seconds.
  void WaitForTick(const std::string& path) const {
    struct stat file = {}, probe = {};
    ASSERT_EQ(::stat(path.c_str(), &file), 0);
    do {
      ASSERT_EQ(::stat(folder_.Write("probe", "").c_str(), &probe), 0);
    } while (probe.st_ctim.tv_sec == file.st_ctim.tv_sec &&
             probe.st_ctim.tv_nsec == file.st_ctim.tv_nsec);
  }

  TemporaryFolder folder_;
  CacheFolder cache_;
};

TEST_F(ModelRevisionTest, SecondTimeFromTheStamp) {
  ExpectComputed("no stamp");
  ExpectTrusted("nothing changed");
  folder_.Write("model/README.md", "decides nothing");
  ExpectTrusted("files that decide nothing");
}

TEST_F(ModelRevisionTest, WhateverChangesIsSeen) {
  const std::string weights = folder_.Path("model/model.safetensors");
  const auto stamped = [this] {
    Revision();
    ExpectTrusted("stamped");
  };
  stamped();
  folder_.Write("model/model.safetensors", "abcd");
  ExpectComputed("another size");
  stamped();

  // The same size and the old time of modification: the time of change gives it away.
  struct stat before = {};
  ASSERT_EQ(::stat(weights.c_str(), &before), 0);
  WaitForTick(weights);
  folder_.Write("model/model.safetensors", "abce");
  const struct timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, weights.c_str(), times, 0), 0);
  ExpectComputed("changed and set back");
  stamped();

  const struct timespec later[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, weights.c_str(), later, 0), 0);
  ExpectComputed("touched");
  stamped();

  folder_.Write("model/other", "abce");
  std::filesystem::rename(folder_.Path("model/other"), weights);
  ExpectComputed("replaced");
  stamped();

  folder_.Write("model/vocab.json", "{}");
  ExpectComputed("a file more");
  stamped();

  std::filesystem::rename(folder_.Path("model/vocab.json"), folder_.Path("model/words.json"));
  ExpectComputed("another name");
  stamped();

  std::filesystem::remove(folder_.Path("model/words.json"));
  ExpectComputed("a file less");
}

TEST_F(ModelRevisionTest, TargetsOfLinksCount) {
  folder_.Write("blob", "xyz");
  std::filesystem::remove(folder_.Path("model/model.safetensors"));
  std::filesystem::create_symlink("../blob", folder_.Path("model/model.safetensors"));
  Revision();
  ExpectTrusted("stamped");
  WaitForTick(folder_.Path("blob"));
  folder_.Write("blob", "xyw");
  ExpectComputed("the target changed");
}

TEST_F(ModelRevisionTest, FilesThatHaveJustChangedGetNoStamp) {
  EXPECT_FALSE(RevisionOf(Directory(), cache_)->is_from_stamp);
  EXPECT_FALSE(std::filesystem::exists(Stamp())) << "they could change again within the same tick";
  EXPECT_FALSE(RevisionOf(Directory(), cache_, absl::Now() - absl::Hours(1))->is_from_stamp);
  EXPECT_FALSE(std::filesystem::exists(Stamp())) << "nor do files from the future";
  ExpectComputed("not stamped yet");
  EXPECT_TRUE(std::filesystem::exists(Stamp()));
  EXPECT_TRUE(RevisionOf(Directory(), cache_)->is_from_stamp);
}

TEST_F(ModelRevisionTest, DamagedStampsAreIgnored) {
  Revision();
  const std::string stamp = ReadWholeFile(Stamp());
  const auto write = [this](const std::string& text) {
    folder_.Write("model/.attend/revision.stamp", text);
  };
  for (size_t i = 0; i < stamp.size(); ++i) {
    write(WithBytes(stamp, i, stamp[i] == '0' ? "1" : "0"));
    ExpectComputed("a changed byte");
    write(stamp.substr(0, i));
    ExpectComputed("cut short");
  }
  write(stamp + "\n");
  ExpectComputed("longer");
  write(std::string(100000, ' '));
  ExpectComputed("far too long");
  EXPECT_EQ(ReadWholeFile(Stamp()), stamp) << "written anew each time";
  ExpectTrusted("whole again");
}

TEST_F(ModelRevisionTest, StampsThatOthersMayWriteAreIgnored) {
  Revision();
  ASSERT_EQ(::chmod(Stamp().c_str(), 0666), 0);
  ExpectComputed("may be written by others");
  ExpectTrusted("replaced by one of ours");
}

TEST_F(ModelRevisionTest, WithoutAFolderEveryTimeFromTheFiles) {
  const CacheFolder none;
  EXPECT_FALSE(RevisionOf(Directory(), none, absl::InfiniteFuture())->is_from_stamp);
  EXPECT_FALSE(RevisionOf(Directory(), none, absl::InfiniteFuture())->is_from_stamp);
  folder_.Write("model/.attend", "in the way");
  ExpectComputed("no folder can be made");
  ExpectComputed("no folder can be made");
}

TEST_F(ModelRevisionTest, FilesThatVanish) {
  const ModelDirectory directory = Directory();
  std::filesystem::remove(folder_.Path("model/model.safetensors"));
  EXPECT_EQ(RevisionOf(directory, cache_).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace attend
