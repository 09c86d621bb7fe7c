// mBART and mBART-50. BART with norms before the sub-layers, and so one more at the end of each
// stack. Languages are tokens: before the source, and first of the target (forced_bos_token_id).
#include "engine/models/families/bart_like.h"
#include "engine/models/families/families.h"

namespace attend {
namespace {

BartLike MBart() {
  BartLike mbart = {"mbart",
                    "MBartForConditionalGeneration",
                    {ModelCapability::kTranslation, ModelCapability::kAttention},
                    {}};
  mbart.stack.norm_placement = NormPlacement::kPre;
  mbart.stack.position_encoding = PositionEncoding::kLearned;
  mbart.stack.position_offset = 2;
  mbart.stack.has_embedding_norm = mbart.stack.has_final_norm = true;
  mbart.pad_token_id = 1;
  // Where the first target token is the language itself, the file has no start token; the end token
  // is what mBART-50 starts from.
  mbart.eos_token_id = mbart.decoder_start_token_id = 2;
  return mbart;
}

absl::StatusOr<ModelSpec> ParseConfig(const Json& json) { return ParseBartLike(MBart(), json); }

}  // namespace

const ModelFamily& MBartFamily() {
  static const ModelFamily family = {"mbart", kBartBody, ParseConfig, BartStoredNames,
                                     BartIgnorableWeights};
  return family;
}

}  // namespace attend
