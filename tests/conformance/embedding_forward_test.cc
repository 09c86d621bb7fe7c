// The forward pass of a BERT checkpoint, an encoder alone, against what transformers 4.48 computes
// from the same files (tests/golden/minilm_tiny/forward.json): states, their mean, attention, pairs
// of segments; and the same bits alone and in company.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/ops/op_threads.h"
#include "tests/conformance/golden_family.h"

namespace attend {
namespace {

constexpr char kFamily[] = "minilm_tiny";

class Recorder : public AttentionObserver {
 public:
  bool Wants(AttentionKind kind, int) const override { return kind == AttentionKind::kEncoderSelf; }
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override {
    Matrix copy(weights.rows, weights.cols);
    for (int64_t r = 0; r < weights.rows; ++r)
      std::copy_n(weights.row(r), weights.cols, copy.row(r));
    heads.emplace(std::pair(site.layer, site.head), std::move(copy));
  }
  std::map<std::pair<int, int>, Matrix> heads;
};

class EmbeddingForwardTest : public ::testing::Test {
 protected:
  EmbeddingForwardTest()
      : model_(GoldenModel(kFamily)),
        golden_(Json::ReadFile(GoldenFolder(kFamily) + "/forward.json").value()) {}

  void Encode(const RaggedBatch& batch, Matrix* hidden, AttentionObserver* observer = nullptr) {
    model_.Encode(batch, {&observer, 1}, workspace_.get(), hidden);
  }

  const Model& model_;
  const Json golden_;
  std::unique_ptr<Workspace> workspace_ = MakeWorkspace();
};

void ExpectStates(const std::vector<Json>& expected, const Matrix& found, LargestError* error) {
  ASSERT_EQ(static_cast<int64_t>(expected.size()), found.rows());
  for (int64_t p = 0; p < found.rows(); ++p) {
    const Json& at = expected[static_cast<size_t>(p)];
    const std::string where = "position " + std::to_string(p);
    const std::vector<Json> first = List(at, "first8");
    for (size_t i = 0; i < first.size(); ++i)
      error->Expect(first[i].AsNumber().value(), found.row(p)[i], where);
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < found.cols(); ++c) {
      sum += found.row(p)[c];
      squares += static_cast<double>(found.row(p)[c]) * found.row(p)[c];
    }
    error->Expect(Number(at, "mean"), sum / static_cast<double>(found.cols()), where + " mean");
    error->Expect(Number(at, "l2"), std::sqrt(squares), where + " l2");
  }
}

TEST_F(EmbeddingForwardTest, IsAnEncoderAlone) {
  const ModelSpec& spec = model_.spec();
  EXPECT_FALSE(spec.has_decoder());
  EXPECT_TRUE(spec.Has(ModelCapability::kEmbedding));
  EXPECT_TRUE(spec.Has(ModelCapability::kAttention));
  EXPECT_FALSE(spec.Has(ModelCapability::kTranslation));
  EXPECT_EQ(spec.encoder.type_vocab_size, 2);
  Matrix logits;
  EXPECT_DEATH(model_.DecodeForced(RaggedBatch(), {}, {}, workspace_.get(), &logits, nullptr),
               "without a decoder");
}

TEST_F(EmbeddingForwardTest, StatesAndMeansEqualTransformers) {
  LargestError states("states"), means("means");
  const std::vector<Json> cases = List(golden_, "single");
  ASSERT_EQ(cases.size(), 10u);
  for (const Json& one : cases) {
    SCOPED_TRACE(one.GetString("text").value());
    RaggedBatch batch;
    batch.Add(Ids(one, "input_ids"));
    Matrix hidden;
    Encode(batch, &hidden);
    ExpectStates(List(one, "hidden_states").back().Elements(), hidden, &states);
    const std::vector<Json> mean = List(one, "mean_pooled");
    ASSERT_EQ(static_cast<int64_t>(mean.size()), hidden.cols());
    for (int64_t c = 0; c < hidden.cols(); ++c) {
      double sum = 0;
      for (int64_t r = 0; r < hidden.rows(); ++r) sum += hidden.row(r)[c];
      means.Expect(mean[static_cast<size_t>(c)].AsNumber().value(),
                   sum / static_cast<double>(hidden.rows()), "column " + std::to_string(c));
    }
  }
}

TEST_F(EmbeddingForwardTest, PairsOfSegmentsEqualTransformers) {
  LargestError states("pairs");
  const std::vector<Json> pairs = List(golden_, "pairs");
  ASSERT_FALSE(pairs.empty());
  RaggedBatch all;
  const std::vector<int32_t> alone = Ids(List(golden_, "single")[0], "input_ids");
  all.Add(alone);  // without segments, which are 0 then
  for (const Json& pair : pairs) {
    RaggedBatch batch;
    batch.Add(Ids(pair, "input_ids"), Ids(pair, "token_type_ids"));
    all.Add(Ids(pair, "input_ids"), Ids(pair, "token_type_ids"));
    Matrix hidden;
    Encode(batch, &hidden);
    ExpectStates(List(pair, "last_hidden_state"), hidden, &states);
  }
  all.Add(alone);
  Matrix together, first;
  model_.Encode(all, {}, workspace_.get(), &together);
  RaggedBatch plain;
  plain.Add(alone);
  Encode(plain, &first);
  const size_t bytes = alone.size() * static_cast<size_t>(first.cols()) * sizeof(float);
  EXPECT_EQ(std::memcmp(together.data(), first.data(), bytes), 0);
  EXPECT_EQ(std::memcmp(together.row(all.begin(all.num_sequences() - 1)), first.data(), bytes), 0);
}

TEST_F(EmbeddingForwardTest, AttentionEqualsTransformers) {
  LargestError weights("attention");
  int full = 0;
  for (const Json& one : List(golden_, "single")) {
    if (!one.Has("attentions")) continue;
    const Json attentions = one.Get("attentions").value();
    if (attentions.GetString("kind").value() != "full") continue;
    ++full;
    RaggedBatch batch;
    batch.Add(Ids(one, "input_ids"));
    Matrix hidden;
    Recorder recorder;
    Encode(batch, &hidden, &recorder);
    const std::vector<Json> layers = List(attentions, "self");
    ASSERT_EQ(layers.size(), 3u);
    EXPECT_EQ(recorder.heads.size(), 12u);
    for (size_t l = 0; l < layers.size(); ++l) {
      const std::vector<Json> heads = layers[l].Elements();
      for (size_t h = 0; h < heads.size(); ++h) {
        const Matrix& found = recorder.heads.at({static_cast<int>(l), static_cast<int>(h)});
        const std::vector<Json> queries = heads[h].Elements();
        ASSERT_EQ(static_cast<int64_t>(queries.size()), found.rows());
        for (int64_t q = 0; q < found.rows(); ++q) {
          const std::vector<Json> row = queries[static_cast<size_t>(q)].Elements();
          for (int64_t k = 0; k < found.cols(); ++k)
            weights.Expect(row[static_cast<size_t>(k)].AsNumber().value(), found.row(q)[k], "row");
        }
      }
    }
  }
  EXPECT_GE(full, 1);
}

TEST_F(EmbeddingForwardTest, SameBitsAloneAndInCompanyInBothTypes) {
  const std::vector<Json> cases = List(golden_, "single");
  for (const ComputeType type : {ComputeType::kFloat32, ComputeType::kInt8}) {
    const Model& model = GoldenModel(kFamily, type);
    std::vector<Matrix> alone(cases.size());
    for (size_t i = 0; i < cases.size(); ++i) {
      RaggedBatch batch;
      batch.Add(Ids(cases[i], "input_ids"));
      model.Encode(batch, {}, workspace_.get(), &alone[i]);
    }
    const std::vector<size_t> order = {3, 0, 9, 1, 2, 4, 5, 6, 7, 8, 0, 3, 3, 9, 5};
    RaggedBatch batch;
    for (const size_t i : order) batch.Add(Ids(cases[i], "input_ids"));
    for (const int threads : {1, 2, 3}) {
      SetOpThreads(threads);
      Matrix together;
      model.Encode(batch, {}, workspace_.get(), &together);
      for (size_t i = 0; i < order.size(); ++i) {
        const Matrix& expected = alone[order[i]];
        EXPECT_EQ(
            std::memcmp(expected.data(), together.row(batch.begin(static_cast<int>(i))),
                        static_cast<size_t>(expected.rows() * expected.cols()) * sizeof(float)),
            0);
      }
    }
  }
  SetOpThreads(1);
}

}  // namespace
}  // namespace attend
