// MarianMT (the OPUS-MT models). Encoder-decoder, post-norm, sinusoidal positions that start at 0
// (older checkpoints store their tables), embeddings scaled by sqrt(hidden size) where
// scale_embedding says so, biases everywhere, a bias on the logits. Alone of its kin it may have
// two vocabularies.
#include "engine/base/status_macros.h"
#include "engine/models/config_limits.h"
#include "engine/models/families/bart_like.h"
#include "engine/models/families/families.h"

namespace attend {
namespace {

BartLike Marian() {
  BartLike marian = {
      "marian", "MarianMTModel", {ModelCapability::kTranslation, ModelCapability::kAttention}, {}};
  marian.stack.norm_placement = NormPlacement::kPost;
  marian.stack.position_encoding = PositionEncoding::kSinusoidalHalves;
  return marian;
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
}

absl::StatusOr<ModelSpec> ParseConfig(const Json& json) {
  ConfigReader config(json);
  ModelSpec spec = ParseBartStacks(Marian(), &config);
  ParseVocabulary(&config, &spec);
  ParseBartTokens(Marian(), &config, &spec);
  ATTEND_RETURN_IF_ERROR(config.status());
  return spec;
}

std::vector<IgnorableWeight> IgnorableWeights(const ModelSpec& spec) {
  const std::string outside = "stands outside 'model.', where transformers does not look for it";
  std::vector<IgnorableWeight> weights = {{"encoder.embed_positions.weight", outside},
                                          {"decoder.embed_positions.weight", outside}};
  if (!spec.share_embeddings)
    weights.push_back({"model.shared.weight", "encoder and decoder have tables of their own"});
  return weights;
}

}  // namespace

const ModelFamily& MarianFamily() {
  static const ModelFamily family = {"marian", kBartBody, ParseConfig, BartStoredNames,
                                     IgnorableWeights};
  return family;
}

}  // namespace attend
