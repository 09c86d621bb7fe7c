// int8 of every family: loads, keeps its weights for the next load, chooses mostly the tokens that
// float32 chooses, and gives the same bits over a part of the vocabulary.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engine/ops/op_threads.h"
#include "tests/conformance/golden_family.h"
#include "tests/testing/shortlist_bytes.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

class Int8Test : public ::testing::TestWithParam<std::string> {
 protected:
  struct Loaded {
    std::unique_ptr<Model> model;
    LoadReport report;
  };
  Loaded Load(const ModelOptions& options) {
    Loaded loaded;
    auto model = Model::Load(ModelDirectory::Open(GoldenFolder(GetParam()) + "/model").value(),
                             options, &loaded.report);
    EXPECT_TRUE(model.ok()) << model.status();
    loaded.model = std::move(*model);
    return loaded;
  }
  std::unique_ptr<Workspace> workspace_ = MakeWorkspace();

  // Logits of a forced pass over one golden sentence.
  Matrix Logits(const Model& model, const Json& one) {
    RaggedBatch source, target;
    source.Add(Ids(one, "input_ids"));
    target.Add(Ids(one, "decoder_input_ids"));
    Matrix encoded, logits;
    model.Encode(source, {}, workspace_.get(), &encoded);
    CrossCache cross;
    model.ProjectCross(encoded.view(), workspace_.get(), &cross);
    const CrossCache* const crosses[] = {&cross};
    model.DecodeForced(target, crosses, {}, workspace_.get(), &logits, nullptr);
    return logits;
  }
};
INSTANTIATE_TEST_SUITE_P(Families, Int8Test, ::testing::ValuesIn(GoldenSeq2Seq()),
                         [](const auto& test) { return test.param; });

bool SameBits(const Matrix& a, const Matrix& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() &&
         std::memcmp(a.data(), b.data(),
                     static_cast<size_t>(a.rows() * a.cols()) * sizeof(float)) == 0;
}

TEST_P(Int8Test, MostlyChoosesWhatFloat32Chooses) {
  const Model& floats = GoldenModel(GetParam());
  const Model& int8 = GoldenModel(GetParam(), ComputeType::kInt8);
  int64_t positions = 0, equal = 0;
  double squares = 0, largest = 0, numbers = 0;
  for (const Json& one :
       List(Json::ReadFile(GoldenFolder(GetParam()) + "/forward.json").value(), "single")) {
    const Matrix a = Logits(floats, one), b = Logits(int8, one);
    for (int64_t r = 0; r < a.rows(); ++r) {
      const auto best = [&](const Matrix& m) {
        return std::max_element(m.row(r), m.row(r) + m.cols()) - m.row(r);
      };
      ++positions;
      equal += best(a) == best(b) ? 1 : 0;
      for (int64_t c = 0; c < a.cols(); ++c) {
        const double error = std::abs(a.row(r)[c] - b.row(r)[c]);
        ASSERT_TRUE(std::isfinite(error));
        largest = std::max(largest, error);
        squares += error * error;
        ++numbers;
      }
    }
  }
  RecordProperty("top1", std::to_string(equal) + "/" + std::to_string(positions));
  RecordProperty("rms_error", absl::StrCat(std::sqrt(squares / numbers)));
  RecordProperty("largest_error", absl::StrCat(largest));
  EXPECT_GT(equal, positions * 8 / 10);
}

TEST_P(Int8Test, SameBitsAloneAndInCompany) {
  const Model& model = GoldenModel(GetParam(), ComputeType::kInt8);
  const std::vector<Json> cases =
      List(Json::ReadFile(GoldenFolder(GetParam()) + "/forward.json").value(), "single");
  for (const int threads : {1, 2, 3}) {
    RaggedBatch sources, targets;
    const std::vector<size_t> order = {3, 0, 9, 1, 2, 4, 5, 6, 7, 8, 0, 3};
    for (const size_t i : order) {
      sources.Add(Ids(cases[i], "input_ids"));
      targets.Add(Ids(cases[i], "decoder_input_ids"));
    }
    SetOpThreads(threads);
    Matrix encoded, logits;
    model.Encode(sources, {}, workspace_.get(), &encoded);
    std::vector<CrossCache> crosses(order.size());
    std::vector<const CrossCache*> pointers;
    for (size_t i = 0; i < order.size(); ++i) {
      const int s = static_cast<int>(i);
      model.ProjectCross(encoded.view().Rows(sources.begin(s), sources.length(s)), workspace_.get(),
                         &crosses[i]);
      pointers.push_back(&crosses[i]);
    }
    model.DecodeForced(targets, pointers, {}, workspace_.get(), &logits, nullptr);
    SetOpThreads(1);
    for (size_t i = 0; i < order.size(); ++i) {
      const Matrix alone = Logits(model, cases[order[i]]);
      EXPECT_EQ(std::memcmp(alone.data(), logits.row(targets.begin(static_cast<int>(i))),
                            static_cast<size_t>(alone.rows() * alone.cols()) * sizeof(float)),
                0)
          << i << ", " << threads << " threads";
    }
  }
}

TEST_P(Int8Test, TheSecondLoadReadsWhatTheFirstKept) {
  const TemporaryFolder folder;
  ModelOptions options;
  options.compute_type = ComputeType::kInt8;
  options.cache = CacheFolder({false, folder.path()}, "/some/model");
  options.revision = "0123456789abcdef";
  const Loaded first = Load(options), second = Load(options);
  EXPECT_EQ(first.report.weight_cache.use, WeightCacheReport::Use::kWritten);
  EXPECT_EQ(second.report.weight_cache.use, WeightCacheReport::Use::kRead);
  EXPECT_EQ(first.report.num_tensors, second.report.num_tensors);
  EXPECT_EQ(first.report.weight_bytes, second.report.weight_bytes);
  const Json golden = Json::ReadFile(GoldenFolder(GetParam()) + "/forward.json").value();
  const Json one = List(golden, "single")[2];
  EXPECT_TRUE(SameBits(Logits(*first.model, one), Logits(*second.model, one)));
}

TEST_P(Int8Test, APartOfTheVocabularyHasTheBitsOfTheWhole) {
  const int64_t vocab = GoldenModel(GetParam()).spec().target_vocab_size;
  const TemporaryFolder folder;
  ModelOptions options;
  options.compute_type = ComputeType::kInt8;
  options.shortlist.use = ShortlistChoice::Use::kFile;
  options.shortlist.path = folder.Write(
      "x.shortlist",
      ShortlistBytes(vocab, {0, 3},
                     std::vector<std::vector<int32_t>>(static_cast<size_t>(vocab), {1, 2})));
  const Loaded loaded = Load(options);
  const Model& model = *loaded.model;
  const std::unique_ptr<OutputSubset> subset = model.MakeOutputSubset();
  ASSERT_NE(subset, nullptr);
  const std::vector<int32_t> tokens = {1, 40, 77, 200, 311};
  subset->Add(tokens);

  RaggedBatch source;
  source.Add(std::vector<int32_t>{5, 9, 40, 2});
  Matrix encoded, whole, part;
  model.Encode(source, {}, workspace_.get(), &encoded);
  CrossCache cross;
  model.ProjectCross(encoded.view(), workspace_.get(), &cross);
  KvCachePool pool(model.spec().decoder.num_layers, model.spec().decoder.heads().width(), 1 << 24);
  SelfCache a(&pool), b(&pool);
  std::vector<int32_t> slots;
  subset->SlotsOf(tokens, &slots);
  for (const int32_t token : {2, 40, 77}) {
    const DecodeRow one = {token, &a, &cross}, other = {token, &b, &cross};
    model.DecodeStep({&one, 1}, workspace_.get(), &whole);
    model.DecodeStep({&other, 1}, *subset, workspace_.get(), &part);
    for (size_t i = 0; i < tokens.size(); ++i)
      EXPECT_EQ(part.row(0)[slots[i]], whole.row(0)[tokens[i]]) << tokens[i];
  }
}

}  // namespace
}  // namespace attend
