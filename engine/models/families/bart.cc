// BART. Encoder-decoder, post-norm, learned positions that start at row 2 of their table, a norm
// after the embeddings, GELU, biases everywhere, a bias on the logits. Checkpoints are fine-tuned
// for one thing, mostly summaries; task_specific_params has the options for it.
#include "engine/models/families/bart_like.h"
#include "engine/models/families/families.h"

namespace attend {
namespace {

BartLike Bart() {
  BartLike bart = {"bart",
                   "BartForConditionalGeneration",
                   {ModelCapability::kSummarization, ModelCapability::kAttention},
                   {}};
  bart.stack.norm_placement = NormPlacement::kPost;
  bart.stack.position_encoding = PositionEncoding::kLearned;
  bart.stack.position_offset = 2;
  bart.stack.has_embedding_norm = true;
  bart.pad_token_id = 1;
  bart.eos_token_id = bart.decoder_start_token_id = 2;
  return bart;
}

absl::StatusOr<ModelSpec> ParseConfig(const Json& json) { return ParseBartLike(Bart(), json); }

}  // namespace

const ModelFamily& BartFamily() {
  static const ModelFamily family = {"bart", kBartBody, ParseConfig, BartStoredNames,
                                     BartIgnorableWeights};
  return family;
}

}  // namespace attend
