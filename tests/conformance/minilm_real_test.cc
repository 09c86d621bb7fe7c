// The real all-MiniLM-L6-v2 (tools/get-models), from text to embedding, against what transformers
// 4.48 gives (tests/golden/minilm_real.json). Skipped where the model was not fetched.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/models/model.h"
#include "engine/tokenizers/tokenizer_factory.h"

namespace attend {
namespace {

constexpr char kFolder[] = ATTEND_SOURCE_DIR "/models/all-MiniLM-L6-v2";
// Of transformers' own figures, which have seven digits.
constexpr double kTolerance = 1e-4;
// Likeness of embeddings in int8 to those in float32; what exact products with rows quantised one
// by one give (docs/numerics.md).
constexpr double kLeastMeanCosine = 0.9975;

std::vector<double> Numbers(const Json& json) {
  std::vector<double> out;
  for (const Json& element : json.Elements()) out.push_back(*element.AsNumber());
  return out;
}

// Rows of one head of one layer.
class HeadRecorder : public AttentionObserver {
 public:
  HeadRecorder(int layer, int head) : layer_(layer), head_(head) {}
  bool Wants(AttentionKind kind, int layer) const override {
    return kind == AttentionKind::kEncoderSelf && layer == layer_;
  }
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override {
    if (site.head != head_) return;
    rows.resize(static_cast<size_t>(weights.rows));
    for (int64_t r = 0; r < weights.rows; ++r)
      rows[static_cast<size_t>(r)].assign(weights.row(r), weights.row(r) + weights.cols);
  }
  std::vector<std::vector<float>> rows;

 private:
  const int layer_, head_;
};

class MiniLmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(std::string(kFolder) + "/model.safetensors"))
      GTEST_SKIP() << "tools/get-models has not been run";
    auto directory = ModelDirectory::Open(kFolder);
    ASSERT_TRUE(directory.ok()) << directory.status();
    auto tokenizer = LoadTokenizer(*directory, nullptr);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = *std::move(tokenizer);
    golden_ = Json::ReadFile(ATTEND_SOURCE_DIR "/tests/golden/minilm_real.json").value();
    ASSERT_GE(golden_.Get("single")->Elements().size(), 10u);
  }

  static std::unique_ptr<Model> Load(ComputeType type) {
    ModelOptions options;
    options.compute_type = type;
    LoadReport report;
    auto model = Model::Load(ModelDirectory::Open(kFolder).value(), options, &report);
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? *std::move(model) : nullptr;
  }

  // Mean of the last states over all tokens, of length one: as sentence-transformers has it.
  std::vector<double> Embed(const Model& model, const std::vector<int32_t>& ids,
                            AttentionObserver* observer = nullptr) {
    RaggedBatch batch;
    batch.Add(ids);
    Matrix hidden;
    model.Encode(batch, {&observer, 1}, workspace_.get(), &hidden);
    std::vector<double> mean(static_cast<size_t>(hidden.cols()));
    for (int64_t r = 0; r < hidden.rows(); ++r) {
      for (size_t c = 0; c < mean.size(); ++c) mean[c] += hidden.row(r)[c];
    }
    double squares = 0;
    for (const double value : mean) squares += value * value;
    for (double& value : mean) value /= std::sqrt(squares);
    return mean;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Workspace> workspace_ = MakeWorkspace();
  Json golden_;
};

TEST_F(MiniLmTest, EmbeddingsEqualTransformers) {
  const std::unique_ptr<Model> model = Load(ComputeType::kFloat32);
  ASSERT_NE(model, nullptr);
  double largest = 0;
  for (const Json& c : golden_.Get("single")->Elements()) {
    const std::string text = *c.GetString("text");
    const std::vector<int32_t> ids = tokenizer_->Encode(text, TextSide::kSource).ids();
    const std::vector<int64_t> expected_ids = c.Get("input_ids")->AsInts().value();
    ASSERT_EQ(ids, std::vector<int32_t>(expected_ids.begin(), expected_ids.end())) << text;
    const std::vector<double> expected = Numbers(*c.Get("embedding"));
    const std::vector<double> found = Embed(*model, ids);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], expected[i], kTolerance) << text << " " << i;
      largest = std::max(largest, std::abs(found[i] - expected[i]));
    }
  }
  RecordProperty("largest_error", std::to_string(largest));
  printf("largest error of an embedding: %.1e\n", largest);
}

TEST_F(MiniLmTest, AttentionOfPronounsEqualsTransformers) {
  const std::unique_ptr<Model> model = Load(ComputeType::kFloat32);
  ASSERT_NE(model, nullptr);
  int checked = 0;
  for (const Json& c : golden_.Get("pronouns")->Elements()) {
    const std::string text = *c.GetString("text");
    const auto row = static_cast<size_t>(*c.GetInt("pronoun_index"));
    HeadRecorder head(3, 1);
    Embed(*model, tokenizer_->Encode(text, TextSide::kSource).ids(), &head);
    const std::vector<double> expected = Numbers(*c.Get("L3H1_row"));
    ASSERT_EQ(head.rows.at(row).size(), expected.size()) << text;
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(head.rows[row][i], expected[i], kTolerance) << text << " " << i;
    ++checked;
  }
  EXPECT_GE(checked, 20);
}

// Ordinary sentences of many subjects.
constexpr const char* kSentences[] = {
    "The cat sat on the mat.",
    "Economic growth slowed sharply in the second quarter of the year.",
    "How do I reset my password?",
    "She sells sea shells by the sea shore.",
    "Quantum computers use qubits instead of bits.",
    "The train to Paris leaves at half past nine from platform four.",
    "I would like to cancel my subscription, please.",
    "A recipe for chocolate cake with walnuts and cream.",
    "Heavy rain is expected over the northern mountains tonight.",
    "The court rejected the appeal of the former minister.",
    "Python is a programming language.",
    "He broke his leg while skiing in the Alps last winter.",
    "The museum is closed on Mondays except on public holidays.",
    "Researchers found a new species of frog in the rainforest.",
    "What is the capital of Australia?",
    "My neighbour's dog barks all night long.",
};

TEST_F(MiniLmTest, Int8KeepsTheDirectionOfEmbeddings) {
  const std::unique_ptr<Model> exact = Load(ComputeType::kFloat32);
  const std::unique_ptr<Model> quantised = Load(ComputeType::kInt8);
  ASSERT_TRUE(exact != nullptr && quantised != nullptr);
  double least = 1, mean = 0;
  for (const char* sentence : kSentences) {
    const std::vector<int32_t> ids = tokenizer_->Encode(sentence, TextSide::kSource).ids();
    const std::vector<double> a = Embed(*exact, ids), b = Embed(*quantised, ids);
    double cosine = 0;
    for (size_t i = 0; i < a.size(); ++i) cosine += a[i] * b[i];
    least = std::min(least, cosine);
    mean += cosine / static_cast<double>(std::size(kSentences));
  }
  printf("cosine of int8 with float32: mean %.5f, least %.5f\n", mean, least);
  EXPECT_GE(mean, kLeastMeanCosine);
}

}  // namespace
}  // namespace attend
