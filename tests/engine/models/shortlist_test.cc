// Which tokens a shortlist allows, and which files and models go together.
#include "engine/models/shortlist.h"

#include "engine/base/error.h"
#include "engine/models/model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/shortlist_bytes.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Use = ShortlistChoice::Use;

constexpr int64_t kVocab = 320;  // of marian_tiny

ModelSpec Spec(bool share_embeddings) {
  ModelSpec spec;
  spec.source_vocab_size = 4;
  spec.target_vocab_size = 200;
  spec.share_embeddings = share_embeddings;
  return spec;
}

TEST(ShortlistTest, CandidatesAreTheUnionOfWhatIsNeeded) {
  const TemporaryFolder folder;
  const std::string path =
      folder.Write("x.shortlist", ShortlistBytes(200, {0, 9}, {{}, {5, 9, 70}, {6, 70}, {8}}));
  const auto joint = Shortlist::Load(path, Spec(true));
  ASSERT_TRUE(joint.ok()) << joint.status();
  EXPECT_THAT(joint->CandidatesOf(std::vector<int32_t>{1, 2, 1}, std::vector<int32_t>{199, 0}),
              ElementsAre(0, 1, 2, 5, 6, 9, 70, 199));
  EXPECT_THAT(joint->CandidatesOf(std::vector<int32_t>{1, 0}, std::vector<int32_t>{199}), IsEmpty())
      << "nothing is known of token 0";
  const auto separate = Shortlist::Load(path, Spec(false));
  ASSERT_TRUE(separate.ok());
  EXPECT_THAT(separate->CandidatesOf(std::vector<int32_t>{3}, {}), ElementsAre(0, 8, 9))
      << "equal ids mean nothing where the sides have vocabularies of their own";
}

TEST(ShortlistTest, OtherVocabulariesAreRefused) {
  const TemporaryFolder folder;
  const std::string path =
      folder.Write("x.shortlist", ShortlistBytes(199, {}, {{1}, {1}, {1}, {1}}));
  const absl::Status status = Shortlist::Load(path, Spec(true)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("4 and 200 tokens"));
  EXPECT_EQ(Shortlist::Load(folder.Path("none"), Spec(true)).status().code(),
            absl::StatusCode::kNotFound);
}

absl::StatusOr<std::unique_ptr<Model>> LoadTiny(ComputeType type, const ShortlistChoice& choice,
                                                LoadReport* report) {
  ModelOptions options;
  options.compute_type = type;
  options.shortlist = choice;
  options.revision = "0123456789abcdef";
  return Model::Load(
      ModelDirectory::Open(ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model").value(), options,
      report);
}

TEST(ShortlistTest, IsLoadedWithAModelWhenAskedFor) {
  const TemporaryFolder folder;
  std::vector<std::vector<int32_t>> lists(kVocab, {1, 2});
  lists[7] = {};
  const std::string path = folder.Write("x.shortlist", ShortlistBytes(kVocab, {0}, lists));
  LoadReport report;
  auto model = LoadTiny(ComputeType::kInt8, {Use::kFile, path}, &report);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_NE((*model)->shortlist(), nullptr);
  ASSERT_NE((*model)->MakeOutputSubset(), nullptr);
  EXPECT_EQ(report.shortlist.file, path);
  EXPECT_EQ(report.shortlist.num_known_tokens, kVocab - 1);
  EXPECT_EQ(report.shortlist.num_links, 2 * (kVocab - 1));
  EXPECT_EQ(report.shortlist.num_always, 1);
  ASSERT_FALSE(report.notes.empty());
  EXPECT_THAT(report.notes.back(), HasSubstr("made with revision r of m"));

  model = LoadTiny(ComputeType::kInt8, {}, &report);
  ASSERT_TRUE(model.ok());
  EXPECT_EQ((*model)->shortlist(), nullptr);
  EXPECT_EQ((*model)->MakeOutputSubset(), nullptr);
  EXPECT_EQ(report.shortlist.file, "");
}

TEST(ShortlistTest, AutoTakesWhatThereIs) {
  LoadReport report;
  auto model = LoadTiny(ComputeType::kInt8, {Use::kAuto, ""}, &report);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->shortlist(), nullptr);
  EXPECT_THAT(report.shortlist.why, HasSubstr(kShortlistFileName));
  model = LoadTiny(ComputeType::kFloat32, {Use::kAuto, ""}, &report);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(report.shortlist.why, HasSubstr("float32"));
}

TEST(ShortlistTest, Float32CannotHaveOneThatIsNamed) {
  const TemporaryFolder folder;
  const std::string path = folder.Write(
      "x.shortlist", ShortlistBytes(kVocab, {0}, std::vector<std::vector<int32_t>>(kVocab, {1})));
  LoadReport report;
  const absl::Status status = LoadTiny(ComputeType::kFloat32, {Use::kFile, path}, &report).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(GetErrorDetail(status).value_or(ErrorDetail()).reason, "MODEL_FAILED");
  EXPECT_THAT(std::string(status.message()), HasSubstr("float32"));
}

}  // namespace
}  // namespace attend
