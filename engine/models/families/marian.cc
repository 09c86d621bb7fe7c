// MarianMT (the OPUS-MT models). Encoder-decoder, post-norm, sinusoidal positions that start at 0
// (older checkpoints store their tables), embeddings scaled by sqrt(hidden size) where
// scale_embedding says so, biases everywhere, a bias on the logits. Usually one embedding table
// serves encoder, decoder and output projection; then the checkpoint stores it once, under any of
// four names.
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"
#include "engine/models/config_reader.h"
#include "engine/models/families/families.h"

namespace attend {
namespace {

// Far above every published model; below what could make a wrong file cost much before its tensors
// are looked at.
constexpr int64_t kMaxHiddenSize = 16384, kMaxLayers = 256, kMaxHeads = 1024,
                  kMaxIntermediateSize = 131072;
constexpr int64_t kMaxVocabSize = 4 << 20, kMaxPositions = 65536;
constexpr int64_t kMaxPositionTable = int64_t{64} << 20;  // elements

StackSpec ParseStack(ConfigReader* config, const std::string& stack, int64_t hidden_size,
                     float embedding_scale) {
  StackSpec spec;
  spec.hidden_size = hidden_size;
  spec.num_layers = static_cast<int>(config->Int(stack + "_layers", 1, kMaxLayers));
  spec.intermediate_size = config->Int(stack + "_ffn_dim", 1, kMaxIntermediateSize);
  const std::string heads_key = stack + "_attention_heads";
  const int64_t heads = config->Int(heads_key, 1, kMaxHeads);
  if (!config->IsFaulty({"d_model", heads_key}) && hidden_size % heads != 0) {
    config->Fault(heads_key, absl::StrCat("a divisor of d_model (", hidden_size, ")"),
                  std::to_string(heads));
  }
  spec.num_attention_heads = static_cast<int>(heads);
  spec.head_dim = hidden_size / heads;
  spec.activation = Activation::kRelu;
  spec.norm_placement = NormPlacement::kPost;
  spec.position_encoding = PositionEncoding::kSinusoidalHalves;
  spec.embedding_scale = embedding_scale;
  return spec;
}

void ParseVocabulary(ConfigReader* config, ModelSpec* spec) {
  spec->share_embeddings = config->BoolOr("share_encoder_decoder_embeddings", true);
  spec->tie_word_embeddings = config->BoolOr("tie_word_embeddings", true);
  spec->source_vocab_size = config->Int("vocab_size", 1, kMaxVocabSize);
  // transformers looks at decoder_vocab_size only where the embeddings are not shared; some
  // checkpoints say something else there that was never true.
  spec->target_vocab_size =
      spec->share_embeddings
          ? spec->source_vocab_size
          : config->IntOr("decoder_vocab_size", spec->source_vocab_size, 1, kMaxVocabSize);
  // Ids lie in the vocabulary whose size is known; what its right size is, nobody can tell.
  const int64_t last = config->IsFaulty({"vocab_size", "decoder_vocab_size"})
                           ? kMaxVocabSize - 1
                           : spec->target_vocab_size - 1;
  spec->pad_token_id = static_cast<int32_t>(config->Int("pad_token_id", 0, last));
  spec->eos_token_id = static_cast<int32_t>(config->Int("eos_token_id", 0, last));
  spec->decoder_start_token_id =
      static_cast<int32_t>(config->Int("decoder_start_token_id", 0, last));
}

absl::StatusOr<ModelSpec> ParseConfig(const Json& json) {
  ConfigReader config(json);
  ModelSpec spec;
  spec.model_type = "marian";
  spec.architecture = "MarianMTModel";
  spec.capabilities = {ModelCapability::kTranslation, ModelCapability::kAttention};
  spec.has_logits_bias = true;

  const int64_t hidden_size = config.Int("d_model", 1, kMaxHiddenSize);
  const bool scaled = config.BoolOr("scale_embedding", false);
  const float scale =
      scaled ? static_cast<float>(std::sqrt(static_cast<double>(hidden_size))) : 1.0f;
  spec.encoder = ParseStack(&config, "encoder", hidden_size, scale);
  spec.decoder = ParseStack(&config, "decoder", hidden_size, scale);
  const int64_t positions = config.Int("max_position_embeddings", 1, kMaxPositions);
  if (!config.IsFaulty({"d_model", "max_position_embeddings"}) &&
      positions * hidden_size > kMaxPositionTable) {
    config.Fault("max_position_embeddings",
                 absl::StrCat("at most ", kMaxPositionTable / hidden_size, " for this d_model"),
                 std::to_string(positions));
  }
  spec.encoder.max_position_embeddings = spec.decoder.max_position_embeddings = positions;
  spec.encoder.activation = spec.decoder.activation =
      config.ActivationFunction("activation_function");
  ParseVocabulary(&config, &spec);
  ATTEND_RETURN_IF_ERROR(config.status());
  return spec;
}

constexpr char kBody[] = "model.";
constexpr char kShared[] = "model.shared.weight";
constexpr char kEncoderTokens[] = "model.encoder.embed_tokens.weight";
constexpr char kDecoderTokens[] = "model.decoder.embed_tokens.weight";
constexpr char kOutput[] = "lm_head.weight";

// Our word for a part of a block → Marian's.
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
      {"up", "fc1"},
      {"down", "fc2"},
  };
  const auto found = parts->find(part);
  return found == parts->end() ? part : found->second;
}

std::vector<std::string> StoredNames(const ModelSpec& spec, const std::string& canonical) {
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

std::vector<IgnorableWeight> IgnorableWeights(const ModelSpec& spec) {
  const std::string outside = "stands outside 'model.', where transformers does not look for it";
  std::vector<IgnorableWeight> weights = {{"encoder.embed_positions.weight", outside},
                                          {"decoder.embed_positions.weight", outside}};
  if (!spec.share_embeddings)
    weights.push_back({kShared, "encoder and decoder have tables of their own"});
  return weights;
}

}  // namespace

const ModelFamily& MarianFamily() {
  static const ModelFamily family = {"marian", kBody, ParseConfig, StoredNames, IgnorableWeights};
  return family;
}

}  // namespace attend
