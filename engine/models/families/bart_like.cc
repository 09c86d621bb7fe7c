// One embedding table usually serves encoder, decoder and output projection; then a checkpoint
// stores it once, under any of four names.
#include "engine/models/families/bart_like.h"

#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"
#include "engine/models/config_limits.h"
#include "engine/models/families/task_parameters.h"

namespace attend {
namespace {

constexpr char kShared[] = "model.shared.weight";
constexpr char kEncoderTokens[] = "model.encoder.embed_tokens.weight";
constexpr char kDecoderTokens[] = "model.decoder.embed_tokens.weight";
constexpr char kOutput[] = "lm_head.weight";

void ParseStack(ConfigReader* config, const std::string& stack, StackSpec* spec) {
  spec->num_layers = static_cast<int>(config->Int(stack + "_layers", 1, kMaxLayers));
  spec->intermediate_size = config->Int(stack + "_ffn_dim", 1, kMaxIntermediateSize);
  const std::string heads_key = stack + "_attention_heads";
  const int64_t heads = config->Int(heads_key, 1, kMaxHeads);
  if (!config->IsFaulty({"d_model", heads_key}) && spec->hidden_size % heads != 0) {
    config->Fault(heads_key, absl::StrCat("a divisor of d_model (", spec->hidden_size, ")"),
                  std::to_string(heads));
  }
  spec->num_attention_heads = static_cast<int>(heads);
  spec->head_dim = spec->hidden_size / heads;
}

int64_t ParsePositions(ConfigReader* config, int64_t hidden_size) {
  const int64_t positions = config->Int("max_position_embeddings", 1, kMaxPositions);
  if (!config->IsFaulty({"d_model", "max_position_embeddings"}) &&
      positions * hidden_size > kMaxPositionTable) {
    config->Fault("max_position_embeddings",
                  absl::StrCat("at most ", kMaxPositionTable / hidden_size, " for this d_model"),
                  std::to_string(positions));
  }
  return positions;
}

// Our word for a part of a block → theirs.
std::string StoredPart(const std::string& part) {
  static const auto* const parts = new std::map<std::string, std::string>{
      {"self_attention", "self_attn"},
      {"cross_attention", "encoder_attn"},
      {"position", "embed_positions"},
      {"query", "q_proj"},
      {"key", "k_proj"},
      {"value", "v_proj"},
      {"output", "out_proj"},
      {"self_attention_norm", "self_attn_layer_norm"},
      {"cross_attention_norm", "encoder_attn_layer_norm"},
      {"feed_forward_norm", "final_layer_norm"},
      {"embedding_norm", "layernorm_embedding"},
      {"final_norm", "layer_norm"},
      {"up", "fc1"},
      {"down", "fc2"},
  };
  const auto found = parts->find(part);
  return found == parts->end() ? part : found->second;
}

}  // namespace

ModelSpec ParseBartStacks(const BartLike& family, ConfigReader* config) {
  ModelSpec spec;
  spec.model_type = family.model_type;
  spec.architecture = family.architecture;
  spec.capabilities = family.capabilities;
  spec.has_logits_bias = family.has_logits_bias;

  StackSpec stack = family.stack;
  stack.hidden_size = config->Int("d_model", 1, kMaxHiddenSize);
  if (config->BoolOr("scale_embedding", family.scale_embedding)) {
    stack.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(stack.hidden_size)));
  }
  spec.encoder = spec.decoder = stack;
  ParseStack(config, "encoder", &spec.encoder);
  ParseStack(config, "decoder", &spec.decoder);
  spec.encoder.max_position_embeddings = spec.decoder.max_position_embeddings =
      ParsePositions(config, stack.hidden_size);
  spec.encoder.activation = spec.decoder.activation =
      config->ActivationFunction("activation_function");
  return spec;
}

void ParseBartTokens(const BartLike& family, ConfigReader* config, ModelSpec* spec) {
  // Ids lie in the vocabulary whose size is known; what its right size is, nobody can tell.
  const int64_t last = config->IsFaulty({"vocab_size", "decoder_vocab_size"})
                           ? kMaxVocabSize - 1
                           : spec->target_vocab_size - 1;
  const auto id = [&](const char* key, const std::optional<int32_t>& otherwise) {
    return static_cast<int32_t>(otherwise ? config->IntOr(key, *otherwise, 0, last)
                                          : config->Int(key, 0, last));
  };
  spec->pad_token_id = id("pad_token_id", family.pad_token_id);
  spec->eos_token_id = id("eos_token_id", family.eos_token_id);
  spec->decoder_start_token_id = id("decoder_start_token_id", family.decoder_start_token_id);
}

absl::StatusOr<ModelSpec> ParseBartLike(const BartLike& family, const Json& json) {
  ConfigReader config(json);
  ModelSpec spec = ParseBartStacks(family, &config);
  spec.tie_word_embeddings = config.BoolOr("tie_word_embeddings", true);
  spec.source_vocab_size = spec.target_vocab_size = config.Int("vocab_size", 1, kMaxVocabSize);
  ParseBartTokens(family, &config, &spec);
  spec.tasks = ParseTaskParameters(&config);
  ATTEND_RETURN_IF_ERROR(config.status());
  return spec;
}

std::vector<std::string> BartStoredNames(const ModelSpec& spec, const std::string& canonical) {
  if (canonical == "lm_head.bias") return {"final_logits_bias"};
  const bool tied = spec.tie_word_embeddings;
  if (spec.share_embeddings && (canonical == "encoder.embeddings.token.weight" ||
                                canonical == "decoder.embeddings.token.weight")) {
    // Where several are stored and differ, transformers uses the first of these.
    std::vector<std::string> names = {kDecoderTokens, kEncoderTokens, kShared};
    if (tied) names.push_back(kOutput);
    return names;
  }
  if (canonical == "encoder.embeddings.token.weight") return {kEncoderTokens};
  if (canonical == "decoder.embeddings.token.weight") {
    return tied ? std::vector<std::string>{kDecoderTokens, kOutput}
                : std::vector<std::string>{kDecoderTokens};
  }
  if (canonical == "lm_head.weight") return {kOutput};

  // "encoder.layers.0.feed_forward.up.weight" → "model.encoder.layers.0.fc1.weight": feed-forward
  // has no level of its own, and embeddings have none.
  std::vector<std::string> parts = {"model"};
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(canonical, '.'))) {
    if (part != "feed_forward" && part != "embeddings") parts.push_back(StoredPart(part));
  }
  return {absl::StrJoin(parts, ".")};
}

std::vector<IgnorableWeight> BartIgnorableWeights(const ModelSpec&) {
  std::vector<IgnorableWeight> weights;
  for (const char* name :
       {"model.encoder.version", "model.decoder.version", "encoder.version", "decoder.version"}) {
    weights.push_back({name, "a number of the program that trained it, no weight"});
  }
  return weights;
}

}  // namespace attend
