// config.json of every family → spec: what distinguishes each, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/models/model_registry.h"
#include "tests/engine/models/broken_model.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<ModelSpec> Parse(const BrokenModel& model) {
  const Json config = Json::Parse(model.config(), "config.json").value();
  return FindFamily(config).value()->ParseConfig(config);
}
ModelSpec SpecOf(const std::string& golden) { return Parse(BrokenModel(golden)).value(); }

std::string ErrorOf(const BrokenModel& model) {
  const absl::Status status = Parse(model).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  return std::string(status.message());
}

TEST(T5Config, VersionOne) {
  const ModelSpec spec = SpecOf("t5_tiny");
  EXPECT_THAT(spec.capabilities,
              ElementsAre(ModelCapability::kTranslation, ModelCapability::kSummarization,
                          ModelCapability::kAttention));
  EXPECT_TRUE(spec.tie_word_embeddings);
  EXPECT_FLOAT_EQ(spec.logits_scale, 1 / std::sqrt(32.0f));
  EXPECT_FALSE(spec.has_logits_bias);
  for (const StackSpec& stack : {spec.encoder, spec.decoder}) {
    EXPECT_EQ(stack.feed_forward, FeedForwardKind::kPlain);
    EXPECT_EQ(stack.activation, Activation::kRelu);
    EXPECT_EQ(stack.linear_bias, LinearBias::kAbsent);
    EXPECT_EQ(stack.score_scale, ScoreScale::kNone);
    EXPECT_EQ(stack.norm_kind, NormKind::kRms);
    EXPECT_EQ(stack.norm_placement, NormPlacement::kPre);
    EXPECT_TRUE(stack.has_final_norm);
    EXPECT_EQ(stack.position_encoding, PositionEncoding::kRelativeBias);
    EXPECT_EQ(stack.relative_bias.num_buckets, 32);
    EXPECT_EQ(stack.relative_bias.max_distance, 128);
  }
  EXPECT_EQ(spec.encoder.max_position_embeddings, 4096);
  EXPECT_EQ(spec.decoder.max_position_embeddings, 128);
}

TEST(T5Config, VersionOneOneAndFlan) {
  const ModelSpec spec = SpecOf("flan_t5_tiny");
  EXPECT_FALSE(spec.tie_word_embeddings);
  EXPECT_EQ(spec.logits_scale, 1.0f);
  EXPECT_EQ(spec.encoder.feed_forward, FeedForwardKind::kGated);
  EXPECT_EQ(spec.encoder.activation, Activation::kGeluTanh);
  EXPECT_EQ(spec.encoder.heads().width(), 48);
  EXPECT_EQ(spec.encoder.hidden_size, 32);
}

TEST(T5Config, FeedForwardIsReadAsTransformersDoes) {
  BrokenModel model("t5_tiny");
  model.RemoveKey("dense_act_fn");
  model.RemoveKey("is_gated_act");
  model.SetKey("feed_forward_proj", "\"gated-gelu\"");
  EXPECT_EQ(Parse(model)->encoder.activation, Activation::kGeluTanh);
  EXPECT_EQ(Parse(model)->encoder.feed_forward, FeedForwardKind::kGated);
  model.SetKey("feed_forward_proj", "\"gated-silu\"");
  EXPECT_EQ(Parse(model)->encoder.activation, Activation::kSilu);
  model.SetKey("feed_forward_proj", "\"gelu\"");
  EXPECT_EQ(Parse(model)->encoder.activation, Activation::kGelu);
  EXPECT_EQ(Parse(model)->encoder.feed_forward, FeedForwardKind::kPlain);
  BrokenModel both("t5_tiny");
  both.SetKey("feed_forward_proj", "\"gated-gelu\"");
  EXPECT_EQ(Parse(both)->encoder.activation, Activation::kRelu) << "dense_act_fn says so";
  EXPECT_EQ(Parse(both)->encoder.feed_forward, FeedForwardKind::kPlain) << "is_gated_act says so";
  model.SetKey("feed_forward_proj", "\"gated-tanh\"");
  EXPECT_THAT(ErrorOf(model), HasSubstr("key 'feed_forward_proj': expected one of relu"));
  model.SetKey("feed_forward_proj", "3");
  EXPECT_THAT(ErrorOf(model), HasSubstr("key 'feed_forward_proj': expected a string"));
}

TEST(T5Config, DefaultsAndLimits) {
  BrokenModel model("t5_tiny");
  model.RemoveKey("num_decoder_layers");
  model.SetKey("num_layers", "3");
  model.SetKey("n_positions", "5000");
  EXPECT_EQ(Parse(model)->decoder.num_layers, 3);
  EXPECT_EQ(Parse(model)->encoder.max_position_embeddings, 5000);
  EXPECT_EQ(Parse(model)->decoder.max_position_embeddings, 5000);
  model.SetKey("relative_attention_max_distance", "10");
  EXPECT_THAT(ErrorOf(model), HasSubstr("relative_attention_max_distance"));
  for (const char* key : {"d_model", "d_kv", "d_ff", "num_heads", "vocab_size"}) {
    BrokenModel other("t5_tiny");
    other.RemoveKey(key);
    EXPECT_THAT(ErrorOf(other), HasSubstr(std::string("key '") + key + "'"));
  }
}

// The default distance must lie beyond the buckets of single distances, too.
TEST(T5Config, MoreBucketsThanTheDefaultDistanceReaches) {
  BrokenModel model("t5_tiny");
  model.SetKey("relative_attention_max_distance", "null");
  model.SetKey("relative_attention_num_buckets", "256");
  EXPECT_THAT(ErrorOf(model), HasSubstr("key 'relative_attention_max_distance'"));
  model.SetKey("relative_attention_num_buckets", "128");
  EXPECT_TRUE(Parse(model).ok());
}

TEST(TaskParameters, AreReadByName) {
  BrokenModel model("t5_tiny");
  model.SetKey("task_specific_params",
               R"({"translation_en_to_de": {"prefix": "translate: ", "max_length": 300},
                   "summarization": {"prefix": "summarize: ", "early_stopping": true,
                     "length_penalty": 2.0, "max_length": 200, "min_length": 30, "num_beams": 4,
                     "no_repeat_ngram_size": 3, "who_knows": {}}, "none": null})");
  const auto spec = Parse(model);
  ASSERT_TRUE(spec.ok()) << spec.status();
  ASSERT_EQ(spec->tasks.size(), 2u);
  const TaskParameters& summary = spec->tasks[0];
  EXPECT_EQ(summary.task, "summarization");
  EXPECT_EQ(summary.prefix, "summarize: ");
  EXPECT_EQ(summary.max_length, 200);
  EXPECT_EQ(summary.min_length, 30);
  EXPECT_EQ(summary.num_beams, 4);
  EXPECT_EQ(summary.no_repeat_ngram_size, 3);
  EXPECT_EQ(summary.length_penalty, 2.0);
  EXPECT_EQ(summary.early_stopping, true);
  EXPECT_EQ(spec->tasks[1].task, "translation_en_to_de");
  EXPECT_EQ(spec->tasks[1].num_beams, std::nullopt);
}

TEST(TaskParameters, FaultsNameTaskAndKey) {
  BrokenModel model("bart_tiny");
  model.SetKey("task_specific_params", R"({"a": {"max_length": "long"}, "b": 7})");
  EXPECT_THAT(ErrorOf(model), HasSubstr("key 'task_specific_params.a.max_length'"));
  EXPECT_THAT(ErrorOf(model), HasSubstr("key 'task_specific_params.b': expected an object"));
  model.SetKey("task_specific_params", R"({"summarization": {"num_beams": 0}})");
  EXPECT_THAT(ErrorOf(model), HasSubstr("key 'task_specific_params.summarization.num_beams'"));
  model.SetKey("task_specific_params", "[]");
  EXPECT_THAT(ErrorOf(model), HasSubstr("key 'task_specific_params': expected an object"));
}

TEST(BartLikeConfig, EachIsItself) {
  const ModelSpec bart = SpecOf("bart_tiny"), mbart = SpecOf("mbart50_tiny"),
                  pegasus = SpecOf("pegasus_tiny"), m2m = SpecOf("m2m100_tiny");
  EXPECT_EQ(bart.decoder.norm_placement, NormPlacement::kPost);
  EXPECT_FALSE(bart.decoder.has_final_norm);
  for (const ModelSpec* spec : {&mbart, &pegasus, &m2m}) {
    EXPECT_EQ(spec->encoder.norm_placement, NormPlacement::kPre);
    EXPECT_TRUE(spec->encoder.has_final_norm);
  }
  for (const ModelSpec* spec : {&bart, &mbart}) {
    EXPECT_EQ(spec->encoder.position_encoding, PositionEncoding::kLearned);
    EXPECT_EQ(spec->decoder.position_offset, 2);
    EXPECT_TRUE(spec->encoder.has_embedding_norm);
  }
  EXPECT_EQ(pegasus.encoder.position_encoding, PositionEncoding::kSinusoidalHalves);
  EXPECT_EQ(pegasus.encoder.position_offset, 0);
  EXPECT_FALSE(pegasus.encoder.has_embedding_norm);
  EXPECT_EQ(m2m.encoder.position_encoding, PositionEncoding::kSinusoidalTensor2Tensor);
  EXPECT_EQ(m2m.decoder.position_offset, 2);
  EXPECT_FALSE(m2m.has_logits_bias);
  EXPECT_TRUE(mbart.has_logits_bias);
  EXPECT_EQ(bart.capabilities[0], ModelCapability::kSummarization);
  EXPECT_EQ(pegasus.capabilities[0], ModelCapability::kSummarization);
  EXPECT_EQ(mbart.capabilities[0], ModelCapability::kTranslation);
  EXPECT_EQ(m2m.capabilities[0], ModelCapability::kTranslation);
}

TEST(BartLikeConfig, IdsHaveTheDefaultsOfTheFamily) {
  const struct {
    const char* golden;
    int32_t pad, end, start;
  } cases[] = {{"bart_tiny", 1, 2, 2},
               {"mbart50_tiny", 1, 2, 2},
               {"pegasus_tiny", 0, 1, 0},
               {"m2m100_tiny", 1, 2, 2}};
  for (const auto& c : cases) {
    BrokenModel model(c.golden);
    for (const char* key : {"pad_token_id", "eos_token_id", "decoder_start_token_id"})
      model.RemoveKey(key);
    const auto spec = Parse(model);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->pad_token_id, c.pad) << c.golden;
    EXPECT_EQ(spec->eos_token_id, c.end) << c.golden;
    EXPECT_EQ(spec->decoder_start_token_id, c.start) << c.golden;
    model.SetKey("pad_token_id", "5000");
    EXPECT_THAT(ErrorOf(model), HasSubstr("key 'pad_token_id'"));
  }
}

// transformers decides by the model_type alone.
TEST(BartLikeConfig, OldKeysMeanNothing) {
  BrokenModel model("bart_tiny");
  for (const char* key : {"normalize_before", "add_final_layer_norm", "static_position_embeddings"})
    model.SetKey(key, "true");
  model.SetKey("normalize_embedding", "false");
  const auto spec = Parse(model);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->encoder.norm_placement, NormPlacement::kPost);
  EXPECT_TRUE(spec->encoder.has_embedding_norm);
  EXPECT_FALSE(spec->encoder.has_final_norm);
}

TEST(BertConfig, IsReadInFull) {
  const ModelSpec spec = SpecOf("minilm_tiny");
  EXPECT_EQ(spec.encoder.num_layers, 3);
  EXPECT_EQ(spec.encoder.hidden_size, 48);
  EXPECT_EQ(spec.encoder.head_dim, 12);
  EXPECT_EQ(spec.encoder.activation, Activation::kGelu);
  EXPECT_EQ(spec.encoder.max_position_embeddings, 64);
  EXPECT_EQ(spec.encoder.position_offset, 0);
  EXPECT_FLOAT_EQ(spec.encoder.layer_norm_eps, 1e-12f);
  EXPECT_EQ(spec.source_vocab_size, 390);
}

TEST(BertConfig, VariantsAreRefused) {
  BrokenModel relative("minilm_tiny"), decoder("minilm_tiny"), heads("minilm_tiny");
  relative.SetKey("position_embedding_type", "\"relative_key\"");
  EXPECT_THAT(ErrorOf(relative), HasSubstr("expected 'absolute', found 'relative_key'"));
  decoder.SetKey("is_decoder", "true");
  EXPECT_THAT(ErrorOf(decoder), HasSubstr("key 'is_decoder'"));
  heads.SetKey("num_attention_heads", "5");
  EXPECT_THAT(ErrorOf(heads), HasSubstr("a divisor of hidden_size (48)"));
}

}  // namespace
}  // namespace attend
