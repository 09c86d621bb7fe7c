// Offset maps are built once per text and used for all its spans: sentences, words, tokens and
// attention axes.
#include "server/convert/translation_convert.h"

#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "server/convert/attention_convert.h"
#include "server/convert/generation_convert.h"
#include "server/convert/names.h"
#include "server/convert/status_convert.h"

namespace attend::server {

namespace v1 = attend::v1;

absl::StatusOr<TranslateInput> ParseTranslationConfig(const v1::TranslationConfig& config) {
  TranslateInput input;
  ATTEND_ASSIGN_OR_RETURN(input.model,
                          ParseModelName(config.model(), "config.model", /*may_be_empty=*/true));
  input.source_language = config.source_language_code();
  input.target_language = config.target_language_code();
  absl::StatusOr<GenerationOverrides> decoding = ParseDecodingOptions(config.decoding());
  if (!decoding.ok()) return WithFieldPrefix(decoding.status(), "config.decoding.");
  input.decoding = *std::move(decoding);
  input.target_prefix = config.decoding().target_prefix();
  ATTEND_ASSIGN_OR_RETURN(input.overflow,
                          ParseOverflowPolicy(config.overflow_policy(), "config.overflow_policy"));
  input.include_word_links = config.include_word_links();
  input.include_tokens = config.include_tokens();
  if (config.has_attention()) {
    absl::StatusOr<AttentionSelection> selection = ParseAttentionSelection(config.attention());
    if (!selection.ok()) return WithFieldPrefix(selection.status(), "config.attention.");
    input.attention = *std::move(selection);
  }
  return input;
}

absl::StatusOr<OffsetUnit> ParseOffsetUnit(const v1::TranslationConfig& config) {
  return ParseOffsetUnit(config.offset_unit(), "config.offset_unit");
}

void ToProto(const Translation& translation, const TextContext& context, v1::Translation* out) {
  const OffsetMap source(context.text, context.unit);
  const OffsetMap target(translation.text, context.unit);
  out->set_text(translation.text);
  for (size_t i = 0; i < translation.hypotheses.size(); ++i) {
    const TranslatedHypothesis& hypothesis = translation.hypotheses[i];
    v1::Hypothesis* proto = out->add_hypotheses();
    proto->set_text(hypothesis.text);
    proto->set_score(static_cast<float>(hypothesis.score));
    proto->set_finish_reason(ToProto(hypothesis.finish_reason));
    if (hypothesis.tokens.empty()) continue;
    const OffsetMap own(hypothesis.text, context.unit);
    for (const AttendedToken& token : hypothesis.tokens) ToProto(token, own, proto->add_tokens());
  }
  for (const SentencePair& sentence : translation.sentences) {
    v1::SentencePair* proto = out->add_sentences();
    ToProto(sentence.source, source, proto->mutable_source());
    ToProto(sentence.target, target, proto->mutable_target());
    proto->set_score(static_cast<float>(sentence.score));
  }
  for (const AttendedWord& word : translation.source_words)
    ToProto(word, source, out->add_source_words());
  for (const AttendedWord& word : translation.target_words)
    ToProto(word, target, out->add_target_words());
  for (const WordLink& link : translation.links) ToProto(link, out->add_links());
  for (const AttentionResult& attention : translation.attentions) {
    ToProto(attention, OffsetMaps{source, target}, out->add_attentions());
  }
  out->set_truncated_input_tokens(static_cast<uint32_t>(translation.truncated_input_tokens));
  out->set_model_revision(context.model_revision);
}

void ToProto(const TranslateOutcome& outcome, const TextContext& context,
             v1::TranslateOutcome* out) {
  if (outcome.status.ok()) {
    ToProto(outcome.translation, context, out->mutable_translation());
  } else {
    *out->mutable_error() = ToRpcStatus(outcome.status);
  }
}

}  // namespace attend::server
