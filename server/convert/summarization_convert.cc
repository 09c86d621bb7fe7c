// Which options belong to which mode can be told on the wire only, where an option that was not set
// differs from one that was set to its default.
#include "server/convert/summarization_convert.h"

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "server/convert/attention_convert.h"
#include "server/convert/generation_convert.h"
#include "server/convert/names.h"
#include "server/convert/status_convert.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

absl::StatusOr<SummaryMode> ParseMode(v1::SummaryMode mode) {
  switch (static_cast<int>(mode)) {
    case v1::SUMMARY_MODE_UNSPECIFIED:
    case v1::SUMMARY_MODE_EXTRACTIVE:
      return SummaryMode::kExtractive;
    case v1::SUMMARY_MODE_ABSTRACTIVE:
      return SummaryMode::kAbstractive;
    default:
      return UnknownEnumValue("config.mode", mode);
  }
}

absl::StatusOr<TextKind> ParseTextKind(v1::TextKind kind) {
  switch (static_cast<int>(kind)) {
    case v1::TEXT_KIND_UNSPECIFIED:
      return TextKind::kAuto;
    case v1::TEXT_KIND_GENERAL:
      return TextKind::kGeneral;
    case v1::TEXT_KIND_NEWS:
      return TextKind::kNews;
    case v1::TEXT_KIND_PAPER:
      return TextKind::kPaper;
    case v1::TEXT_KIND_REVIEWS:
      return TextKind::kReviews;
    default:
      return UnknownEnumValue("config.text_kind", kind);
  }
}

v1::TextKind KindToProto(TextKind kind) {
  switch (kind) {
    case TextKind::kAuto:
      return v1::TEXT_KIND_UNSPECIFIED;
    case TextKind::kGeneral:
      return v1::TEXT_KIND_GENERAL;
    case TextKind::kNews:
      return v1::TEXT_KIND_NEWS;
    case TextKind::kPaper:
      return v1::TEXT_KIND_PAPER;
    case TextKind::kReviews:
      return v1::TEXT_KIND_REVIEWS;
  }
  return v1::TEXT_KIND_UNSPECIFIED;
}

absl::Status NotApplicable(const char* field, SummaryMode of) {
  return InvalidField(
      "OPTION_NOT_APPLICABLE", absl::StrCat("config.", field),
      of == SummaryMode::kExtractive
          ? absl::StrCat(field,
                         " is for extractive summaries; an abstractive one is written as "
                         "config.decoding says")
          : absl::StrCat(field,
                         " is for abstractive summaries (config.mode); an extractive one "
                         "takes its sentences from the text"));
}

absl::Status CheckApplicable(const v1::SummarizationConfig& config, SummaryMode mode) {
  struct Option {
    const char* field;
    bool is_set;
    SummaryMode mode;
  };
  const Option options[] = {
      {"sentence_count", config.has_sentence_count(), SummaryMode::kExtractive},
      {"sentence_ratio", config.has_sentence_ratio(), SummaryMode::kExtractive},
      {"max_characters", config.has_max_characters(), SummaryMode::kExtractive},
      {"redundancy_penalty", config.has_redundancy_penalty(), SummaryMode::kExtractive},
      {"include_sentence_attention", config.include_sentence_attention(), SummaryMode::kExtractive},
      {"text_kind", config.text_kind() != v1::TEXT_KIND_UNSPECIFIED, SummaryMode::kExtractive},
      // An empty message asks for nothing.
      {"decoding", config.decoding().ByteSizeLong() > 0, SummaryMode::kAbstractive},
      {"overflow_policy", config.overflow_policy() != v1::OVERFLOW_POLICY_UNSPECIFIED,
       SummaryMode::kAbstractive},
      {"omit_supports", config.omit_supports(), SummaryMode::kAbstractive},
  };
  for (const Option& option : options)
    if (option.is_set && option.mode != mode) return NotApplicable(option.field, option.mode);
  return absl::OkStatus();
}

SummaryBudget ParseBudget(const v1::SummarizationConfig& config) {
  SummaryBudget budget;
  if (config.has_sentence_count()) budget.sentences = config.sentence_count();
  if (config.has_sentence_ratio()) budget.ratio = static_cast<double>(config.sentence_ratio());
  if (config.has_max_characters()) budget.characters = config.max_characters();
  return budget;
}

void SentencesToProto(const Summary& summary, const OffsetMap& text, v1::Summary* out) {
  for (const ScoredSentence& sentence : summary.sentences) {
    v1::ScoredSentence* proto = out->add_sentences();
    ToProto(sentence.span, text, proto->mutable_span());
    proto->set_score(static_cast<float>(sentence.score));
    proto->set_rank(static_cast<uint32_t>(sentence.rank));
    proto->set_selected(sentence.selected);
    for (const ScorePart& part : sentence.parts) {
      v1::ScorePart* part_proto = proto->add_parts();
      part_proto->set_name(part.name);
      part_proto->set_value(static_cast<float>(part.value));
    }
  }
}

void SupportsToProto(const Summary& summary, const OffsetMap& written, v1::Summary* out) {
  for (const SentenceSupport& support : summary.supports) {
    v1::SentenceSupport* proto = out->add_supports();
    ToProto(support.summary, written, proto->mutable_summary());
    for (const int sentence : support.sentences)
      proto->add_sentence_indices(static_cast<uint32_t>(sentence));
    for (const double weight : support.weights) proto->add_weights(static_cast<float>(weight));
  }
}

}  // namespace

absl::StatusOr<SummarizeInput> ParseSummarizationConfig(const v1::SummarizationConfig& config) {
  SummarizeInput input;
  ATTEND_ASSIGN_OR_RETURN(input.model,
                          ParseModelName(config.model(), "config.model", /*may_be_empty=*/true));
  ATTEND_ASSIGN_OR_RETURN(input.mode, ParseMode(config.mode()));
  ATTEND_ASSIGN_OR_RETURN(input.text_kind, ParseTextKind(config.text_kind()));
  ATTEND_ASSIGN_OR_RETURN(input.overflow,
                          ParseOverflowPolicy(config.overflow_policy(), "config.overflow_policy"));
  ATTEND_RETURN_IF_ERROR(CheckApplicable(config, input.mode));
  absl::StatusOr<GenerationOverrides> decoding = ParseDecodingOptions(config.decoding());
  if (!decoding.ok()) return WithFieldPrefix(decoding.status(), "config.decoding.");
  input.decoding = *std::move(decoding);
  input.target_prefix = config.decoding().target_prefix();
  input.language = config.language_code();
  input.budget = ParseBudget(config);
  if (config.has_redundancy_penalty())
    input.redundancy_penalty = static_cast<double>(config.redundancy_penalty());
  input.include_sentence_attention = config.include_sentence_attention();
  input.omit_supports = config.omit_supports();
  return input;
}

absl::StatusOr<OffsetUnit> ParseOffsetUnit(const v1::SummarizationConfig& config) {
  return ParseOffsetUnit(config.offset_unit(), "config.offset_unit");
}

void ToProto(const Summary& summary, const SummaryContext& context, v1::Summary* out) {
  out->set_text(summary.text);
  SentencesToProto(summary, OffsetMap(context.text.text, context.text.unit), out);
  if (summary.sentence_attention)
    ToProto(*summary.sentence_attention, out->mutable_sentence_attention());
  SupportsToProto(summary, OffsetMap(summary.text, context.text.unit), out);
  out->set_truncated_input_tokens(static_cast<uint32_t>(summary.truncated_input_tokens));
  out->set_model_revision(context.text.model_revision);
  out->set_text_kind(KindToProto(summary.text_kind));
  // What was not written did not end.
  if (context.mode == SummaryMode::kAbstractive)
    out->set_finish_reason(ToProto(summary.finish_reason));
}

void ToProto(const SummarizeOutcome& outcome, const SummaryContext& context,
             v1::SummarizeOutcome* out) {
  if (outcome.status.ok()) {
    ToProto(outcome.summary, context, out->mutable_summary());
  } else {
    *out->mutable_error() = ToRpcStatus(outcome.status);
  }
}

}  // namespace attend::server
