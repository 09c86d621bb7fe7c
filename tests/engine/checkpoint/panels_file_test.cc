// Found, written, replaced and removed; and what the report says where that is not possible.
#include "engine/checkpoint/panels_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Use = WeightCacheReport::Use;

constexpr std::byte kContent[] = {std::byte{1}, std::byte{2}, std::byte{3}};

PanelsId Id(const std::string& revision = "8af599b090bcb30f", int format = 1,
            const std::string& variant = "") {
  PanelsId id;
  id.revision = revision;
  id.format = format;
  id.variant = variant;
  return id;
}

class PanelsFileTest : public ::testing::Test {
 protected:
  PanelsFileTest() {
    CacheChoice choice;
    choice.in_model_folder = true;
    cache_ = CacheFolder(choice, folder_.path());
  }

  WeightCacheReport Write(const PanelsId& id) {
    WeightCacheReport report;
    auto writer = StartPanels(cache_, id, &report);
    if (writer == nullptr) return report;
    EXPECT_TRUE(writer->Add("a", kContent).ok());
    FinishPanels(std::move(writer), id, &report);
    return report;
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.Path(".attend")))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  TemporaryFolder folder_;
  CacheFolder cache_;
};

TEST_F(PanelsFileTest, WrittenOnceReadEverAfter) {
  WeightCacheReport report;
  EXPECT_EQ(OpenPanels(cache_, Id(), &report), nullptr);
  EXPECT_EQ(report.use, Use::kNone);
  EXPECT_EQ(report.why, "") << "that there is none yet needs no words";
  const std::string path = folder_.Path(".attend/8af599b090bcb30f-int8-1.panels");
  report = Write(Id());
  EXPECT_EQ(report.use, Use::kWritten);
  EXPECT_EQ(report.file, path);
  EXPECT_EQ(report.bytes, static_cast<int64_t>(std::filesystem::file_size(path)));
  report = WeightCacheReport();
  const auto panels = OpenPanels(cache_, Id(), &report);
  ASSERT_NE(panels, nullptr);
  EXPECT_EQ(panels->Find("a")[2], std::byte{3});
  EXPECT_EQ(report.use, Use::kRead);
  EXPECT_EQ(report.file, path);
  EXPECT_EQ(report.bytes, static_cast<int64_t>(panels->bytes()));
}

TEST_F(PanelsFileTest, DamagedOnesAreExplainedAndReplaced) {
  const std::string path = Write(Id()).file;
  const std::string whole = ReadWholeFile(path);
  folder_.Write(".attend/8af599b090bcb30f-int8-1.panels", whole.substr(0, whole.size() - 1));
  WeightCacheReport report;
  EXPECT_EQ(OpenPanels(cache_, Id(), &report), nullptr);
  EXPECT_EQ(report.use, Use::kNone);
  EXPECT_THAT(report.why, HasSubstr(path + " is not used: "));
  EXPECT_EQ(Write(Id()).use, Use::kWritten);
  EXPECT_EQ(ReadWholeFile(path), whole);
}

// The name is a promise that the file itself has to keep.
TEST_F(PanelsFileTest, RenamedPanelsAreNotUsed) {
  const std::string path = Write(Id()).file;
  std::filesystem::rename(path, folder_.Path(".attend/0000000000000000-int8-1.panels"));
  WeightCacheReport report;
  EXPECT_EQ(OpenPanels(cache_, Id("0000000000000000"), &report), nullptr);
  EXPECT_THAT(report.why, HasSubstr("found 8af599b090bcb30f-int8-1.panels"));
}

TEST_F(PanelsFileTest, WhereNothingCanBeWritten) {
  folder_.Write(".attend", "in the way");
  const WeightCacheReport report = Write(Id());
  EXPECT_EQ(report.use, Use::kNone);
  EXPECT_EQ(report.file, "");
  EXPECT_THAT(report.why, HasSubstr("/.attend: Not a directory"));
  WeightCacheReport off;
  EXPECT_EQ(StartPanels(CacheFolder(), Id(), &off), nullptr);
  EXPECT_EQ(off.why, "the cache is off");
}

TEST_F(PanelsFileTest, AFolderInItsPlace) {
  std::filesystem::create_directories(
      folder_.Path(".attend/8af599b090bcb30f-int8-1.panels/not_empty"));
  const WeightCacheReport report = Write(Id());
  EXPECT_EQ(report.use, Use::kNone);
  EXPECT_THAT(report.why, HasSubstr("cannot be replaced"));
  EXPECT_THAT(Files(), ElementsAre("8af599b090bcb30f-int8-1.panels"));
}

TEST_F(PanelsFileTest, RemovesWhatIsOutdatedAndNothingElse) {
  for (const PanelsId& id : {Id("0123456789abcdef"), Id("8af599b090bcb30f", 1, "vnni")}) Write(id);
  for (const char* name : {"revision.stamp", "notes.panels", "0123456789abcdef-int8-1.panels.bak",
                           "8af599b090bcb30f-int8-0.panels", "8af599b090bcb30f-float32-9.panels",
                           "0123456789abcdef-float32-1.panels"}) {
    folder_.Write(std::string(".attend/") + name, "x");
  }
  folder_.Write(".attend/x.panels.unfinished-1-1", "being written");
  const std::string abandoned = folder_.Write(".attend/x.panels.unfinished-1-2", "abandoned");
  const struct timespec long_ago[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(::utimensat(0, abandoned.c_str(), long_ago, 0), 0);
  EXPECT_EQ(Write(Id()).use, Use::kWritten);
  EXPECT_THAT(Files(),
              ElementsAre("0123456789abcdef-int8-1.panels.bak", "8af599b090bcb30f-float32-9.panels",
                          "8af599b090bcb30f-int8-1-vnni.panels", "8af599b090bcb30f-int8-1.panels",
                          "notes.panels", "revision.stamp", "x.panels.unfinished-1-1"));
}

TEST_F(PanelsFileTest, NamesOfOurForm) {
  const PanelsId current = Id();
  EXPECT_EQ(Id("8af599b090bcb30f", 12, "avx2").FileName(), "8af599b090bcb30f-int8-12-avx2.panels");
  for (const char* name : {"0123456789abcdef-int8-1.panels", "0123456789abcdef-float32-7.panels",
                           "0123456789abcdef-int8-1-avx2.panels", "8af599b090bcb30f-int8-2.panels"})
    EXPECT_TRUE(IsOutdated(name, current)) << name;
  for (const char* name :
       {"8af599b090bcb30f-int8-1.panels", "8af599b090bcb30f-float32-2.panels",
        "8af599b090bcb30f-int8-1-avx2.panels", "0123456789abcde-int8-1.panels",
        "0123456789abcdeg-int8-1.panels", "0123456789ABCDEF-int8-1.panels",
        "0123456789abcdef-int4-1.panels", "0123456789abcdef-int8-01.panels",
        "0123456789abcdef-int8-x.panels", "0123456789abcdef-int8-1-.panels",
        "0123456789abcdef-int8-1-A.panels", "0123456789abcdef-int8-1-a-b.panels",
        "0123456789abcdef-int8.panels", "0123456789abcdef-int8-1", ".panels", ""})
    EXPECT_FALSE(IsOutdated(name, current)) << name;
}

}  // namespace
}  // namespace attend
