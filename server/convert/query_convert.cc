// What only the wire knows is checked here: units, enums, and which fields go together.
#include "server/convert/query_convert.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "server/convert/attention_convert.h"
#include "server/convert/names.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

absl::StatusOr<ByteSpan> ParseSpan(const v1::Span& span, const OffsetMap& map,
                                   const std::string& field) {
  const std::optional<uint32_t> begin = map.ToByte(span.start());
  const std::optional<uint32_t> end = map.ToByte(span.end());
  if (!begin || !end || *begin > *end) {
    return InvalidField("SPAN_INVALID", field,
                        absl::StrCat("[", span.start(), ", ", span.end(),
                                     ") must lie within the text, begin before it ends, and cut no "
                                     "character in two"));
  }
  return ByteSpan{*begin, *end};
}

absl::StatusOr<AttentionDirection> ParseDirection(v1::AttentionDirection direction) {
  switch (static_cast<int>(direction)) {
    case v1::ATTENTION_DIRECTION_UNSPECIFIED:
    case v1::ATTENTION_DIRECTION_FROM_QUERY:
      return AttentionDirection::kFromQuery;
    case v1::ATTENTION_DIRECTION_TO_QUERY:
      return AttentionDirection::kToQuery;
    case v1::ATTENTION_DIRECTION_BOTH:
      return AttentionDirection::kBoth;
    default:
      return UnknownEnumValue("direction", direction);
  }
}

absl::Status ParseHeads(const v1::QueryAttentionRequest& request, QueryAttentionInput* input) {
  if (request.choice_case() == v1::QueryAttentionRequest::kHeadList) {
    input->has_head_list = true;
    ATTEND_ASSIGN_OR_RETURN(input->heads, ParseHeadList(request.head_list()));
    if (request.kind() != v1::ATTENTION_KIND_UNSPECIFIED) {
      ATTEND_ASSIGN_OR_RETURN(input->kind, ParseKind(request.kind(), "kind"));
    }
    ATTEND_ASSIGN_OR_RETURN(input->direction, ParseDirection(request.direction()));
    return absl::OkStatus();
  }
  if (request.choice_case() == v1::QueryAttentionRequest::kPreset) {
    if (request.preset().empty()) {
      return InvalidField("OPTION_OUT_OF_RANGE", "preset",
                          "a preset's name is required, for example \"coreference\"");
    }
    input->preset = request.preset();
  }
  if (request.kind() != v1::ATTENTION_KIND_UNSPECIFIED) {
    return InvalidField("OPTION_OUT_OF_RANGE", "kind",
                        "a preset has its own kind; this one goes with head_list");
  }
  if (request.direction() != v1::ATTENTION_DIRECTION_UNSPECIFIED) {
    return InvalidField("OPTION_OUT_OF_RANGE", "direction",
                        "a preset has its own direction; this one goes with head_list");
  }
  return absl::OkStatus();
}

absl::Status ParseSpans(const v1::QueryAttentionRequest& request, OffsetUnit unit,
                        QueryAttentionInput* input) {
  if (!request.has_query()) {
    return InvalidField("SPAN_EMPTY", "query", "the span that is asked about is required");
  }
  const OffsetMap map(request.source(), unit);
  ATTEND_ASSIGN_OR_RETURN(input->query, ParseSpan(request.query(), map, "query"));
  for (int i = 0; i < request.candidates_size(); ++i) {
    ATTEND_ASSIGN_OR_RETURN(const ByteSpan span, ParseSpan(request.candidates(i), map,
                                                           absl::StrCat("candidates[", i, "]")));
    input->candidates.push_back(span);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<QueryAttentionInput> ParseQuery(const v1::QueryAttentionRequest& request,
                                               OffsetUnit unit, const EngineLimits& limits) {
  QueryAttentionInput input;
  ATTEND_ASSIGN_OR_RETURN(input.model,
                          ParseModelName(request.model(), "model", /*may_be_empty=*/true));
  ATTEND_RETURN_IF_ERROR(ParseHeads(request, &input));
  input.source = request.source();
  input.source_language = request.source_language_code();
  input.max_results = ToInt(request.max_results());
  input.include_function_words = request.include_function_words();
  const auto size = static_cast<int64_t>(input.source.size());
  if (size > 0 && size <= limits.max_text_bytes) {
    ATTEND_RETURN_IF_ERROR(ParseSpans(request, unit, &input));
  }
  return input;
}

void ToProto(const QueryAttentionOutput& output, const OffsetMap& map,
             v1::QueryAttentionResponse* out) {
  for (const QueryAnswer& answer : output.answers) {
    v1::QueryAnswer* to = out->add_answers();
    to->mutable_word()->set_text(answer.text);
    ToProto(answer.span, map, to->mutable_word()->mutable_span());
    to->set_weight(answer.weight);
  }
  out->set_model_revision(absl::StrCat(ModelResourceName(output.model), "@", output.revision));
  ToProto(output.preset, out->mutable_preset());
  ToProto(output.window, map, out->mutable_window());
}

}  // namespace attend::server
