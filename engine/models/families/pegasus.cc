// Pegasus. Encoder-decoder, norms before the sub-layers and at the end of each stack, sinusoidal
// positions that start at 0 (checkpoints may store their tables), a bias on the logits. Writes
// summaries.
#include "engine/models/families/bart_like.h"
#include "engine/models/families/families.h"

namespace attend {
namespace {

BartLike Pegasus() {
  BartLike pegasus = {"pegasus",
                      "PegasusForConditionalGeneration",
                      {ModelCapability::kSummarization, ModelCapability::kAttention},
                      {}};
  pegasus.stack.norm_placement = NormPlacement::kPre;
  pegasus.stack.position_encoding = PositionEncoding::kSinusoidalHalves;
  pegasus.stack.has_final_norm = true;
  pegasus.pad_token_id = pegasus.decoder_start_token_id = 0;
  pegasus.eos_token_id = 1;
  return pegasus;
}

absl::StatusOr<ModelSpec> ParseConfig(const Json& json) { return ParseBartLike(Pegasus(), json); }

}  // namespace

const ModelFamily& PegasusFamily() {
  static const ModelFamily family = {"pegasus", kBartBody, ParseConfig, BartStoredNames,
                                     BartIgnorableWeights};
  return family;
}

}  // namespace attend
