// config.json of a Marian model → spec, and every way in which it can be wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/models/families/families.h"
#include "engine/models/model_registry.h"
#include "tests/engine/models/broken_model.h"

namespace attend {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<ModelSpec> ParseText(const std::string& config) {
  return MarianFamily().ParseConfig(Json::Parse(config, "config.json").value());
}

TEST(MarianConfig, IsReadInFull) {
  BrokenModel model;
  const auto spec = ParseText(model.config());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->model_type, "marian");
  EXPECT_EQ(spec->architecture, "MarianMTModel");
  for (const StackSpec& stack : {spec->encoder, spec->decoder}) {
    EXPECT_EQ(stack.num_layers, 2);
    EXPECT_EQ(stack.hidden_size, 32);
    EXPECT_EQ(stack.num_attention_heads, 4);
    EXPECT_EQ(stack.head_dim, 8);
    EXPECT_EQ(stack.intermediate_size, 64);
    EXPECT_EQ(stack.activation, Activation::kSilu);
    EXPECT_EQ(stack.norm_placement, NormPlacement::kPost);
    EXPECT_EQ(stack.max_position_embeddings, 128);
    EXPECT_FLOAT_EQ(stack.embedding_scale, std::sqrt(32.0f));
    EXPECT_FALSE(stack.has_final_norm);
  }
  EXPECT_EQ(spec->source_vocab_size, 320);
  EXPECT_EQ(spec->target_vocab_size, 320);
  EXPECT_EQ(spec->pad_token_id, 319);
  EXPECT_EQ(spec->eos_token_id, 0);
  EXPECT_EQ(spec->decoder_start_token_id, 319);
  EXPECT_TRUE(spec->share_embeddings);
}

TEST(MarianConfig, StacksMayDiffer) {
  BrokenModel model;
  model.SetKey("decoder_layers", "1");
  model.SetKey("decoder_attention_heads", "2");
  model.SetKey("decoder_ffn_dim", "128");
  model.SetKey("scale_embedding", "false");
  model.SetKey("activation_function", "\"gelu_new\"");
  const auto spec = ParseText(model.config());
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->encoder.num_layers, 2);
  EXPECT_EQ(spec->decoder.num_layers, 1);
  EXPECT_EQ(spec->decoder.head_dim, 16);
  EXPECT_EQ(spec->decoder.intermediate_size, 128);
  EXPECT_EQ(spec->encoder.embedding_scale, 1.0f);
  EXPECT_EQ(spec->decoder.activation, Activation::kGeluTanh);
}

TEST(MarianConfig, EveryRequiredKeyIsNamedWhenMissing) {
  const std::vector<std::string> keys = {"d_model",
                                         "encoder_layers",
                                         "decoder_layers",
                                         "encoder_attention_heads",
                                         "decoder_attention_heads",
                                         "encoder_ffn_dim",
                                         "decoder_ffn_dim",
                                         "activation_function",
                                         "max_position_embeddings",
                                         "vocab_size",
                                         "pad_token_id",
                                         "eos_token_id",
                                         "decoder_start_token_id"};
  for (const std::string& key : keys) {
    BrokenModel model;
    model.RemoveKey(key);
    const absl::Status status = model.LoadStatus();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << key;
    EXPECT_THAT(std::string(status.message()), HasSubstr("config.json: ")) << key;
    EXPECT_THAT(std::string(status.message()), HasSubstr("key '" + key + "': expected ")) << key;
    EXPECT_THAT(std::string(status.message()), HasSubstr("found no such key")) << key;
  }
  const absl::Status none = ParseText("{}").status();
  for (const std::string& key : keys)
    EXPECT_THAT(std::string(none.message()), HasSubstr("'" + key + "'"));
}

TEST(MarianConfig, WrongValuesAreNamed) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"d_model", "0"},
      {"d_model", "-32"},
      {"d_model", "9223372036854775807"},
      {"d_model", "\"32\""},
      {"d_model", "32.5"},
      {"d_model", "33"},  // heads do not divide it
      {"encoder_layers", "0"},
      {"decoder_layers", "1000000"},
      {"encoder_attention_heads", "3"},
      {"decoder_attention_heads", "5"},
      {"encoder_ffn_dim", "0"},
      {"decoder_ffn_dim", "99999999999"},
      {"activation_function", "\"tanhshrink\""},
      {"activation_function", "7"},
      {"max_position_embeddings", "0"},
      {"max_position_embeddings", "100000000"},
      {"vocab_size", "0"},
      {"vocab_size", "18446744073709551615"},
      {"pad_token_id", "320"},
      {"pad_token_id", "-1"},
      {"eos_token_id", "320"},
      {"eos_token_id", "[0]"},
      {"decoder_start_token_id", "4294967296"},
      {"scale_embedding", "\"yes\""},
      {"share_encoder_decoder_embeddings", "1"},
      {"tie_word_embeddings", "[]"},
  };
  for (const auto& [key, value] : wrong) {
    BrokenModel model;
    model.SetKey(key, value);
    const absl::Status status = model.LoadStatus();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition)
        << key << " = " << value << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected ")) << key << " = " << value;
    EXPECT_EQ(GetErrorDetail(status)->reason, "MODEL_FAILED") << key;
  }
}

TEST(MarianConfig, TheDecodersVocabularyCountsOnlyWhereItHasItsOwn) {
  BrokenModel model;
  model.SetKey("decoder_vocab_size", "7");
  const auto shared = ParseText(model.config());
  ASSERT_TRUE(shared.ok()) << shared.status();
  EXPECT_EQ(shared->target_vocab_size, 320);
  EXPECT_TRUE(model.Load().ok());
  model.SetKey("decoder_vocab_size", "\"many\"");
  EXPECT_TRUE(ParseText(model.config()).ok());
  model.SetKey("share_encoder_decoder_embeddings", "false");
  EXPECT_THAT(std::string(ParseText(model.config()).status().message()),
              HasSubstr("key 'decoder_vocab_size': expected an integer from 1 to"));
}

// A key that is wrong makes no expectations of others.
TEST(MarianConfig, OneFaultIsNamedOnce) {
  for (const char* key :
       {"vocab_size", "d_model", "encoder_attention_heads", "max_position_embeddings"}) {
    for (const char* value : {"0", "\"many\"", "-1"}) {
      BrokenModel model;
      model.SetKey(key, value);
      const std::string message(ParseText(model.config()).status().message());
      EXPECT_THAT(message, HasSubstr(std::string("key '") + key + "'"));
      EXPECT_EQ(message.find("; "), std::string::npos) << message;
    }
  }
}

TEST(MarianConfig, ThePositionTableIsBounded) {
  BrokenModel model;
  model.SetKey("d_model", "16384");
  model.SetKey("max_position_embeddings", "65536");
  EXPECT_THAT(
      std::string(model.LoadStatus().message()),
      HasSubstr(
          "key 'max_position_embeddings': expected at most 4096 for this d_model, found 65536"));
}

TEST(ModelRegistry, NamesTheArchitectureItLacks) {
  BrokenModel model;
  model.config() = R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]})";
  const absl::Status status = model.LoadStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "ARCHITECTURE_UNKNOWN");
  EXPECT_EQ(detail->metadata[0],
            (std::pair<std::string, std::string>("architecture", "GPT2LMHeadModel")));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("supported: bart, bert, m2m_100, marian, mbart"));
}

TEST(ModelRegistry, NeedsAModelType) {
  for (const char* config : {"{}", "{\"model_type\": 3}", "{\"model_type\": null}"}) {
    const auto family = FindFamily(Json::Parse(config, "config.json").value());
    EXPECT_EQ(family.status().code(), absl::StatusCode::kFailedPrecondition) << config;
    EXPECT_THAT(std::string(family.status().message()), HasSubstr("'model_type'"));
  }
  EXPECT_EQ(KnownModelTypes(), (std::vector<std::string>{"bart", "bert", "m2m_100", "marian",
                                                         "mbart", "pegasus", "t5"}));
}

TEST(MarianNames, CanonicalNamesAreTranslated) {
  ModelSpec spec;
  const auto names = MarianFamily().StoredNames;
  EXPECT_EQ(names(spec, "encoder.layers.3.self_attention.query.weight"),
            std::vector<std::string>{"model.encoder.layers.3.self_attn.q_proj.weight"});
  EXPECT_EQ(names(spec, "decoder.layers.0.cross_attention.output.bias"),
            std::vector<std::string>{"model.decoder.layers.0.encoder_attn.out_proj.bias"});
  EXPECT_EQ(names(spec, "decoder.layers.1.feed_forward.down.weight"),
            std::vector<std::string>{"model.decoder.layers.1.fc2.weight"});
  EXPECT_EQ(names(spec, "decoder.layers.1.feed_forward_norm.weight"),
            std::vector<std::string>{"model.decoder.layers.1.final_layer_norm.weight"});
  EXPECT_EQ(names(spec, "encoder.embeddings.token.weight").size(), 4u);
  spec.share_embeddings = false;
  EXPECT_EQ(names(spec, "encoder.embeddings.token.weight"),
            std::vector<std::string>{"model.encoder.embed_tokens.weight"});
}

}  // namespace
}  // namespace attend
