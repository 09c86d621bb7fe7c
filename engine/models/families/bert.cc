// BERT (sentence encoders such as all-MiniLM). An encoder alone: post-norm, learned positions and
// segments (token types), a norm after the embeddings, biases everywhere. Heads for pre-training
// and the pooler, which only the next-sentence task trains, are not read.
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"
#include "engine/models/config_limits.h"
#include "engine/models/config_reader.h"
#include "engine/models/families/families.h"

namespace attend {
namespace {

constexpr char kBody[] = "bert.";

// What transformers would compute differently, and we do not.
void RefuseVariants(ConfigReader* config) {
  constexpr char kPositions[] = "position_embedding_type";
  if (config->Has(kPositions)) {
    const std::string type = config->Word(kPositions);
    if (!config->IsFaulty({kPositions}) && type != "absolute")
      config->Fault(kPositions, "'absolute'", absl::StrCat("'", Excerpt(type), "'"));
  }
  if (config->BoolOr("is_decoder", false)) config->Fault("is_decoder", "false", "true");
}

absl::StatusOr<ModelSpec> ParseConfig(const Json& json) {
  ConfigReader config(json);
  RefuseVariants(&config);
  ModelSpec spec;
  spec.model_type = "bert";
  spec.architecture = "BertModel";
  spec.capabilities = {ModelCapability::kEmbedding, ModelCapability::kAttention};
  StackSpec& stack = spec.encoder;
  stack.hidden_size = config.Int("hidden_size", 1, kMaxHiddenSize);
  stack.num_layers = static_cast<int>(config.Int("num_hidden_layers", 1, kMaxLayers));
  stack.intermediate_size = config.Int("intermediate_size", 1, kMaxIntermediateSize);
  const int64_t heads = config.Int("num_attention_heads", 1, kMaxHeads);
  if (!config.IsFaulty({"hidden_size", "num_attention_heads"}) && stack.hidden_size % heads != 0) {
    config.Fault("num_attention_heads",
                 absl::StrCat("a divisor of hidden_size (", stack.hidden_size, ")"),
                 std::to_string(heads));
  }
  stack.num_attention_heads = static_cast<int>(heads);
  stack.head_dim = stack.hidden_size / heads;
  stack.activation = config.ActivationFunction("hidden_act");
  stack.norm_placement = NormPlacement::kPost;
  stack.has_embedding_norm = true;
  stack.layer_norm_eps = static_cast<float>(config.NumberOr("layer_norm_eps", 1e-12, 0, 1));
  stack.position_encoding = PositionEncoding::kLearned;
  stack.max_position_embeddings = config.Int("max_position_embeddings", 1, kMaxPositions);
  stack.type_vocab_size = config.IntOr("type_vocab_size", 2, 1, kMaxSegments);
  spec.source_vocab_size = config.Int("vocab_size", 1, kMaxVocabSize);
  const int64_t last =
      config.IsFaulty({"vocab_size"}) ? kMaxVocabSize - 1 : spec.source_vocab_size - 1;
  spec.pad_token_id = static_cast<int32_t>(config.IntOr("pad_token_id", 0, 0, last));
  ATTEND_RETURN_IF_ERROR(config.status());
  return spec;
}

// A name without its last part → theirs, below "bert.embeddings." and "bert.encoder.layer.N.".
const std::string& StoredModule(const std::string& module) {
  static const auto* const modules = new std::map<std::string, std::string>{
      {"embeddings.token", "word_embeddings"},
      {"embeddings.position", "position_embeddings"},
      {"embeddings.token_type", "token_type_embeddings"},
      {"embedding_norm", "LayerNorm"},
      {"self_attention.query", "attention.self.query"},
      {"self_attention.key", "attention.self.key"},
      {"self_attention.value", "attention.self.value"},
      {"self_attention.output", "attention.output.dense"},
      {"self_attention_norm", "attention.output.LayerNorm"},
      {"feed_forward.up", "intermediate.dense"},
      {"feed_forward.down", "output.dense"},
      {"feed_forward_norm", "output.LayerNorm"},
  };
  return modules->at(module);
}

// Norms of checkpoints that came from TensorFlow are called gamma and beta.
std::vector<std::string> WithOldNames(const std::string& module, const std::string& leaf) {
  std::vector<std::string> names = {absl::StrCat(module, ".", leaf)};
  if (absl::EndsWith(module, "LayerNorm"))
    names.push_back(absl::StrCat(module, leaf == "weight" ? ".gamma" : ".beta"));
  return names;
}

std::vector<std::string> StoredNames(const ModelSpec&, const std::string& canonical) {
  std::pair<std::string, std::string> split = absl::StrSplit(canonical, absl::MaxSplits('.', 1));
  std::string name = split.second;  // without "encoder."
  const size_t dot = name.rfind('.');
  const std::string leaf = name.substr(dot + 1);
  name.resize(dot);
  if (!absl::StartsWith(name, "layers."))
    return WithOldNames(absl::StrCat(kBody, "embeddings.", StoredModule(name)), leaf);
  const std::vector<std::string> parts = absl::StrSplit(name, absl::MaxSplits('.', 2));
  return WithOldNames(absl::StrCat(kBody, "encoder.layer.", parts[1], ".", StoredModule(parts[2])),
                      leaf);
}

std::vector<IgnorableWeight> IgnorableWeights(const ModelSpec&) {
  std::vector<IgnorableWeight> weights;
  for (const char* body : {kBody, ""}) {
    weights.push_back({absl::StrCat(body, "embeddings.position_ids"), "0, 1, 2, ..."});
    for (const char* leaf : {"weight", "bias"}) {
      weights.push_back({absl::StrCat(body, "pooler.dense.", leaf),
                         "for the next-sentence task; sentence vectors are means over tokens"});
    }
  }
  for (const char* name :
       {"predictions.bias", "predictions.decoder.weight", "predictions.decoder.bias",
        "predictions.transform.dense.weight", "predictions.transform.dense.bias",
        "predictions.transform.LayerNorm.weight", "predictions.transform.LayerNorm.bias",
        "predictions.transform.LayerNorm.gamma", "predictions.transform.LayerNorm.beta",
        "seq_relationship.weight", "seq_relationship.bias"}) {
    weights.push_back({absl::StrCat("cls.", name), "a head for pre-training"});
  }
  return weights;
}

}  // namespace

const ModelFamily& BertFamily() {
  static const ModelFamily family = {"bert", kBody, ParseConfig, StoredNames, IgnorableWeights};
  return family;
}

}  // namespace attend
