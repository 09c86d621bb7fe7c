// M2M100 and NLLB (model_type m2m_100). Encoder-decoder, norms before the sub-layers and at the end
// of each stack, no bias on the logits. Positions are sinusoids that follow those of the padding
// token: the first one is at row pad_token_id + 1. Languages are tokens: before the source, and
// first of the target (forced_bos_token_id).
#include <utility>

#include "engine/models/families/bart_like.h"
#include "engine/models/families/families.h"

namespace attend {
namespace {

BartLike M2M100() {
  BartLike m2m = {"m2m_100",
                  "M2M100ForConditionalGeneration",
                  {ModelCapability::kTranslation, ModelCapability::kAttention},
                  {}};
  m2m.stack.norm_placement = NormPlacement::kPre;
  m2m.stack.position_encoding = PositionEncoding::kSinusoidalTensor2Tensor;
  m2m.stack.has_final_norm = true;
  m2m.scale_embedding = true;
  m2m.has_logits_bias = false;
  m2m.pad_token_id = 1;
  m2m.eos_token_id = m2m.decoder_start_token_id = 2;
  return m2m;
}

absl::StatusOr<ModelSpec> ParseConfig(const Json& json) {
  absl::StatusOr<ModelSpec> spec = ParseBartLike(M2M100(), json);
  if (spec.ok())
    spec->encoder.position_offset = spec->decoder.position_offset = spec->pad_token_id + 1;
  return spec;
}

std::vector<IgnorableWeight> IgnorableWeights(const ModelSpec& spec) {
  std::vector<IgnorableWeight> weights = BartIgnorableWeights(spec);
  for (const char* body : {"model.", ""}) {
    for (const char* stack : {"encoder", "decoder"}) {
      for (const char* name : {".embed_positions.weights", ".embed_positions.weight"}) {
        weights.push_back({std::string(body) + stack + name,
                           "positions of this family are always computed, as in transformers"});
      }
    }
  }
  return weights;
}

}  // namespace

const ModelFamily& M2M100Family() {
  static const ModelFamily family = {"m2m_100", kBartBody, ParseConfig, BartStoredNames,
                                     IgnorableWeights};
  return family;
}

}  // namespace attend
