// Field by field; a field the caller left out stays unset, so that the checkpoint's own value
// holds.
#include "server/convert/generation_convert.h"

#include "server/convert/names.h"

namespace attend::server {

absl::StatusOr<GenerationOverrides> ParseDecodingOptions(
    const attend::v1::DecodingOptions& options) {
  GenerationOverrides out;
  if (options.has_beam_size()) out.num_beams = ToInt(options.beam_size());
  if (options.has_hypothesis_count()) out.num_return_sequences = ToInt(options.hypothesis_count());
  if (options.has_length_penalty()) out.length_penalty = options.length_penalty();
  if (options.has_max_output_tokens()) out.max_new_tokens = ToInt(options.max_output_tokens());
  if (options.has_min_output_tokens()) out.min_new_tokens = ToInt(options.min_output_tokens());
  if (options.has_no_repeat_ngram_size())
    out.no_repeat_ngram_size = ToInt(options.no_repeat_ngram_size());
  if (options.has_repetition_penalty()) out.repetition_penalty = options.repetition_penalty();
  if (options.has_sampling()) {
    const attend::v1::SamplingOptions& sampling = options.sampling();
    GenerationOverrides::Sampling& chosen = out.sampling.emplace();
    if (sampling.has_temperature()) chosen.temperature = sampling.temperature();
    if (sampling.has_top_k()) chosen.top_k = ToInt(sampling.top_k());
    if (sampling.has_top_p()) chosen.top_p = sampling.top_p();
    if (sampling.has_seed()) chosen.seed = sampling.seed();
  }
  switch (static_cast<int>(options.early_stopping())) {
    case attend::v1::EARLY_STOPPING_UNSPECIFIED:
      break;
    case attend::v1::EARLY_STOPPING_HEURISTIC:
      out.early_stopping = EarlyStopping::kFalse;
      break;
    case attend::v1::EARLY_STOPPING_FIRST:
      out.early_stopping = EarlyStopping::kTrue;
      break;
    case attend::v1::EARLY_STOPPING_NEVER:
      out.early_stopping = EarlyStopping::kNever;
      break;
    default:
      return UnknownEnumValue("early_stopping", options.early_stopping());
  }
  return out;
}

absl::StatusOr<OverflowPolicy> ParseOverflowPolicy(attend::v1::OverflowPolicy policy,
                                                   std::string_view field) {
  switch (static_cast<int>(policy)) {
    case attend::v1::OVERFLOW_POLICY_UNSPECIFIED:
    case attend::v1::OVERFLOW_POLICY_SPLIT:
      return OverflowPolicy::kSplit;
    case attend::v1::OVERFLOW_POLICY_REJECT:
      return OverflowPolicy::kReject;
    case attend::v1::OVERFLOW_POLICY_TRUNCATE:
      return OverflowPolicy::kTruncate;
    default:
      return UnknownEnumValue(field, policy);
  }
}

attend::v1::FinishReason ToProto(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return attend::v1::FINISH_REASON_END_OF_SEQUENCE;
    case FinishReason::kLength:
      return attend::v1::FINISH_REASON_MAX_TOKENS;
    case FinishReason::kRepetition:
      return attend::v1::FINISH_REASON_REPETITION;
  }
  return attend::v1::FINISH_REASON_UNSPECIFIED;
}

}  // namespace attend::server
