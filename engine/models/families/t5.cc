// T5 and its later versions (v1.1, Flan). Encoder-decoder, RMS norms before the sub-layers and at
// the end of each stack, no biases in linear layers, scores that are not scaled, heads whose width
// need not be the hidden size, and no positions but a bias by distance, which all layers of a stack
// share. v1.0: ReLU, the output projection is the embedding table and reads states scaled by
// 1/sqrt(d_model). v1.1: a gated feed-forward and a projection of its own.
#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"
#include "engine/models/config_limits.h"
#include "engine/models/families/families.h"
#include "engine/models/families/task_parameters.h"

namespace attend {
namespace {

// Distances know no last position, so n_positions (512 mostly) is only what training used. What is
// read may be longer: documents to be summed up are, and the limit is there because attention's
// cost grows with the square of the length. What is written may not: the memory of a running
// sequence is set aside for the longest that it may become.
constexpr int64_t kLongestSource = 4096;
constexpr int64_t kMaxBuckets = 4096, kMaxDistance = 4096;

// "relu", "gated-gelu": the activation, and whether it is gated. Keys of later files repeat it.
void ParseFeedForward(ConfigReader* config, StackSpec* stack) {
  constexpr char kKey[] = "feed_forward_proj", kActivation[] = "dense_act_fn";
  const std::string kind = config->Has(kKey) ? config->Word(kKey) : "relu";
  if (config->IsFaulty({kKey})) return;
  const bool gated = absl::StartsWith(kind, "gated-");
  std::string name = gated ? kind.substr(6) : kind;
  if (kind == "gated-gelu") name = "gelu_new";
  stack->activation = config->Has(kActivation) ? config->ActivationFunction(kActivation)
                                               : config->ActivationNamed(kKey, name);
  stack->feed_forward =
      config->BoolOr("is_gated_act", gated) ? FeedForwardKind::kGated : FeedForwardKind::kPlain;
}

StackSpec ParseStack(ConfigReader* config) {
  StackSpec stack;
  stack.hidden_size = config->Int("d_model", 1, kMaxHiddenSize);
  stack.num_attention_heads = static_cast<int>(config->Int("num_heads", 1, kMaxHeads));
  stack.head_dim = config->Int("d_kv", 1, kMaxHeadDim);
  stack.intermediate_size = config->Int("d_ff", 1, kMaxIntermediateSize);
  stack.layer_norm_eps = static_cast<float>(config->NumberOr("layer_norm_epsilon", 1e-6, 0, 1));
  ParseFeedForward(config, &stack);
  stack.linear_bias = LinearBias::kAbsent;
  stack.score_scale = ScoreScale::kNone;
  stack.norm_kind = NormKind::kRms;
  stack.norm_placement = NormPlacement::kPre;
  stack.has_final_norm = true;
  stack.position_encoding = PositionEncoding::kRelativeBias;
  stack.max_position_embeddings = config->IntOr("n_positions", 512, 1, kMaxPositions);
  stack.relative_bias.num_buckets =
      static_cast<int>(config->IntOr("relative_attention_num_buckets", 32, 4, kMaxBuckets));
  // Beyond the distances that have a bucket each, so that the logarithm has room.
  stack.relative_bias.max_distance =
      static_cast<int>(config->IntOr("relative_attention_max_distance", 128,
                                     stack.relative_bias.num_buckets / 2 + 1, kMaxDistance));
  // The default, too, must lie beyond them.
  if (!config->IsFaulty({"relative_attention_num_buckets", "relative_attention_max_distance"}) &&
      stack.relative_bias.max_distance <= stack.relative_bias.num_buckets / 2) {
    config->Fault("relative_attention_max_distance",
                  absl::StrCat("more than half of relative_attention_num_buckets (",
                               stack.relative_bias.num_buckets, ")"),
                  std::to_string(stack.relative_bias.max_distance));
  }
  return stack;
}

absl::StatusOr<ModelSpec> ParseConfig(const Json& json) {
  ConfigReader config(json);
  ModelSpec spec;
  spec.model_type = "t5";
  spec.architecture = "T5ForConditionalGeneration";
  spec.capabilities = {ModelCapability::kTranslation, ModelCapability::kSummarization,
                       ModelCapability::kAttention};
  spec.encoder = spec.decoder = ParseStack(&config);
  spec.encoder.max_position_embeddings =
      std::max(kLongestSource, spec.encoder.max_position_embeddings);
  spec.encoder.num_layers = static_cast<int>(config.Int("num_layers", 1, kMaxLayers));
  spec.decoder.num_layers =
      static_cast<int>(config.IntOr("num_decoder_layers", spec.encoder.num_layers, 1, kMaxLayers));
  spec.tie_word_embeddings = config.BoolOr("tie_word_embeddings", true);
  if (spec.tie_word_embeddings) {
    spec.logits_scale =
        static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec.decoder.hidden_size)));
  }
  spec.source_vocab_size = spec.target_vocab_size = config.Int("vocab_size", 1, kMaxVocabSize);
  const int64_t last =
      config.IsFaulty({"vocab_size"}) ? kMaxVocabSize - 1 : spec.target_vocab_size - 1;
  spec.pad_token_id = static_cast<int32_t>(config.IntOr("pad_token_id", 0, 0, last));
  spec.eos_token_id = static_cast<int32_t>(config.IntOr("eos_token_id", 1, 0, last));
  spec.decoder_start_token_id =
      static_cast<int32_t>(config.IntOr("decoder_start_token_id", spec.pad_token_id, 0, last));
  spec.tasks = ParseTaskParameters(&config);
  ATTEND_RETURN_IF_ERROR(config.status());
  return spec;
}

// The name within a block of a part of one: "feed_forward.up" → "DenseReluDense.wi".
std::string StoredPart(const ModelSpec& spec, const std::string& part) {
  static const auto* const parts = new std::map<std::string, std::string>{
      {"query", "q"},  {"key", "k"},   {"value", "v"},
      {"output", "o"}, {"down", "wo"}, {"gate", "wi_0"},
  };
  const bool gated = spec.encoder.feed_forward == FeedForwardKind::kGated;
  if (part == "up") return gated ? "wi_1" : "wi";
  const auto found = parts->find(part);
  return found == parts->end() ? part : found->second;
}

// "decoder.layers.3.feed_forward.up.weight" → "decoder.block.3.layer.2.DenseReluDense.wi.weight": a
// block is a list of sub-layers, each with its norm.
std::string StoredBlockName(const ModelSpec& spec, const std::vector<std::string>& parts) {
  const std::string& stack = parts[0];
  std::string sublayer = parts[3], norm;
  if (absl::EndsWith(sublayer, "_norm")) {
    sublayer.resize(sublayer.size() - 5);
    norm = "layer_norm";
  }
  int index = 0;
  std::string name = "SelfAttention";
  if (sublayer == "cross_attention") {
    index = 1;
    name = "EncDecAttention";
  } else if (sublayer == "feed_forward") {
    index = stack == "decoder" ? 2 : 1;
    name = "DenseReluDense";
  }
  const std::string place = absl::StrCat(stack, ".block.", parts[2], ".layer.", index, ".");
  if (!norm.empty()) return absl::StrCat(place, norm, ".", parts[4]);
  return absl::StrCat(place, name, ".", StoredPart(spec, parts[4]), ".", parts[5]);
}

std::vector<std::string> StoredNames(const ModelSpec& spec, const std::string& canonical) {
  const std::vector<std::string> parts = absl::StrSplit(canonical, '.');
  if (parts[0] == "lm_head") return {canonical};
  if (parts[1] == "layers") return {StoredBlockName(spec, parts)};
  if (parts[1] == "final_norm") return {absl::StrCat(parts[0], ".final_layer_norm.", parts[2])};
  if (parts[1] == "relative_bias") {
    return {absl::StrCat(parts[0], ".block.0.layer.0.SelfAttention.relative_attention_bias.",
                         parts[2])};
  }
  // Embeddings. Where several are stored and differ, transformers uses the first of these.
  std::vector<std::string> names = {"decoder.embed_tokens.weight", "encoder.embed_tokens.weight",
                                    "shared.weight"};
  if (spec.tie_word_embeddings) names.push_back("lm_head.weight");
  return names;
}

std::vector<IgnorableWeight> IgnorableWeights(const ModelSpec&) {
  return {{"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
           "cross-attention has no distances; transformers does not read it either"}};
}

}  // namespace

const ModelFamily& T5Family() {
  // Its names have no prefix.
  static const ModelFamily family = {"t5", "", ParseConfig, StoredNames, IgnorableWeights};
  return family;
}

}  // namespace attend
