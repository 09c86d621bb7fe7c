// The names under which checkpoints of every family keep their weights, with or without prefixes,
// heads and copies of tied tables, and what is missing or left over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/engine/models/broken_model.h"

namespace attend {
namespace {

using ::testing::HasSubstr;

std::vector<float> Encoded(const Model& model) {
  RaggedBatch batch;
  batch.Add(std::vector<int32_t>{5, 9, 2, 7});
  const std::unique_ptr<Workspace> workspace = MakeWorkspace();
  Matrix hidden;
  model.Encode(batch, {}, workspace.get(), &hidden);
  return {hidden.data(), hidden.data() + hidden.rows() * hidden.cols()};
}

std::vector<float> EncodedBy(const BrokenModel& model) {
  const auto loaded = model.Load();
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return loaded.ok() ? Encoded(**loaded) : std::vector<float>();
}

TensorToWrite Zeros(const std::string& name, const std::string& shape, size_t count) {
  return {name, "F32", shape, std::string(4 * count, '\0')};
}

TEST(BertLoad, WithOrWithoutItsPrefix) {
  const BrokenModel plain("minilm_tiny");
  BrokenModel prefixed("minilm_tiny");
  for (TensorToWrite& tensor : prefixed.tensors()) tensor.name = "bert." + tensor.name;
  EXPECT_EQ(EncodedBy(plain), EncodedBy(prefixed));
}

TEST(BertLoad, HeadsOfPreTrainingAreIgnored) {
  BrokenModel model("minilm_tiny");
  for (TensorToWrite& tensor : model.tensors()) tensor.name = "bert." + tensor.name;
  model.RemoveTensor("bert.pooler.dense.weight");
  model.RemoveTensor("bert.pooler.dense.bias");
  model.AddTensor(Zeros("cls.predictions.bias", "[390]", 390));
  model.AddTensor(Zeros("cls.predictions.transform.dense.weight", "[48, 48]", 48 * 48));
  model.AddTensor(Zeros("cls.predictions.transform.LayerNorm.gamma", "[48]", 48));
  model.AddTensor(Zeros("cls.seq_relationship.weight", "[2, 48]", 96));
  model.AddTensor({"bert.embeddings.position_ids", "I64", "[1, 64]", std::string(8 * 64, '\0')});
  EXPECT_EQ(EncodedBy(BrokenModel("minilm_tiny")), EncodedBy(model));
}

TEST(BertLoad, OldNamesOfNorms) {
  BrokenModel model("minilm_tiny");
  for (TensorToWrite& tensor : model.tensors()) {
    if (!absl::StrContains(tensor.name, "LayerNorm")) continue;
    const bool is_weight = absl::EndsWith(tensor.name, "weight");
    tensor.name.resize(tensor.name.size() - (is_weight ? 6 : 4));
    tensor.name += is_weight ? "gamma" : "beta";
  }
  EXPECT_EQ(EncodedBy(BrokenModel("minilm_tiny")), EncodedBy(model));
}

TEST(BertLoad, WhatIsMissingOrLeftOverIsNamed) {
  BrokenModel missing("minilm_tiny"), surplus("minilm_tiny");
  missing.RemoveTensor("embeddings.token_type_embeddings.weight");
  EXPECT_EQ(missing.LoadStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.LoadStatus().message()), HasSubstr("token_type_embeddings"));
  surplus.AddTensor(Zeros("classifier.weight", "[2, 48]", 96));
  EXPECT_EQ(surplus.LoadStatus().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(surplus.LoadStatus().message()), HasSubstr("classifier.weight"));
}

TEST(T5Load, TheTableHasFourNames) {
  const std::vector<float> expected = EncodedBy(BrokenModel("t5_tiny"));
  for (const char* name :
       {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}) {
    BrokenModel model("t5_tiny");
    model.RenameTensor("shared.weight", name);
    EXPECT_EQ(EncodedBy(model), expected) << name;
  }
  BrokenModel untied("flan_t5_tiny");
  untied.RemoveTensor("lm_head.weight");
  EXPECT_EQ(untied.LoadStatus().code(), absl::StatusCode::kNotFound);
}

TEST(T5Load, ABiasOfCrossAttentionIsIgnored) {
  BrokenModel model("t5_tiny");
  model.AddTensor(Zeros("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
                        "[32, 4]", 128));
  EXPECT_EQ(EncodedBy(model), EncodedBy(BrokenModel("t5_tiny")));
}

TEST(T5Load, WhatIsMissingIsNamed) {
  for (const char* name :
       {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "decoder.final_layer_norm.weight", "decoder.block.1.layer.2.DenseReluDense.wo.weight",
        "decoder.block.1.layer.1.EncDecAttention.k.weight"}) {
    BrokenModel model("t5_tiny");
    model.RemoveTensor(name);
    EXPECT_EQ(model.LoadStatus().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(model.LoadStatus().message()), HasSubstr(name));
  }
  BrokenModel shape("t5_tiny");
  shape.SetKey("relative_attention_num_buckets", "16");
  EXPECT_THAT(std::string(shape.LoadStatus().message()), HasSubstr("expected shape [16, 4]"));
}

TEST(BartLikeLoad, AliasesVersionsAndTheBodyAlone) {
  for (const char* golden : {"bart_tiny", "mbart50_tiny", "pegasus_tiny", "m2m100_tiny"}) {
    SCOPED_TRACE(golden);
    const std::vector<float> expected = EncodedBy(BrokenModel(golden));
    for (const char* name : {"model.encoder.embed_tokens.weight",
                             "model.decoder.embed_tokens.weight", "lm_head.weight"}) {
      BrokenModel model(golden);
      model.RenameTensor("model.shared.weight", name);
      model.AddTensor(Zeros("model.encoder.version", "[1]", 1));
      EXPECT_EQ(EncodedBy(model), expected) << name;
    }
    BrokenModel body(golden);
    for (TensorToWrite& tensor : body.tensors()) {
      if (absl::StartsWith(tensor.name, "model.")) tensor.name.erase(0, 6);
    }
    EXPECT_EQ(EncodedBy(body), expected);
  }
}

TEST(BartLikeLoad, LearnedPositionsMustBeThereSinusoidsNeedNot) {
  BrokenModel bart("bart_tiny");
  bart.RemoveTensor("model.encoder.embed_positions.weight");
  EXPECT_EQ(bart.LoadStatus().code(), absl::StatusCode::kNotFound);

  const std::vector<float> computed = EncodedBy(BrokenModel("m2m100_tiny"));
  BrokenModel m2m("m2m100_tiny");
  m2m.AddTensor(Zeros("model.encoder.embed_positions.weights", "[130, 32]", 130 * 32));
  m2m.AddTensor(Zeros("model.decoder.embed_positions.weights", "[130, 32]", 130 * 32));
  EXPECT_EQ(EncodedBy(m2m), computed) << "stored sinusoids of M2M100 are not read";
}

TEST(BartLikeLoad, StoredSinusoidsOfPegasusAreRead) {
  BrokenModel model("pegasus_tiny");
  const std::string name = "model.encoder.embed_positions.weight";
  bool has = false;
  for (const TensorToWrite& tensor : model.tensors()) has = has || tensor.name == name;
  if (has) model.RemoveTensor(name);
  const std::vector<float> computed = EncodedBy(model);
  model.AddTensor(Zeros(name, "[128, 32]", 128 * 32));
  EXPECT_NE(EncodedBy(model), computed);
}

}  // namespace
}  // namespace attend
