// Encoder only: a text that attends to itself needs no target. Places are found before the pass, so
// that a wrong span costs no computation.
#include "engine/tasks/query/query_attention_task.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/attention_presets.h"
#include "engine/tasks/attention_selection.h"
#include "engine/tasks/call_checks.h"
#include "engine/tasks/language_codes.h"
#include "engine/tasks/pass_call.h"
#include "engine/tasks/query/query_places.h"
#include "engine/tasks/query/query_text.h"
#include "engine/tasks/query/query_weights.h"

namespace attend {
namespace {

constexpr int kDefaultMaxResults = 5;
// Each costs a walk over the tokens.
constexpr size_t kMaxCandidates = 1024;

// A query follows a text's attention to itself, where the model reads the text.
absl::Status CheckFollowable(AttentionKind kind, const ModelSpec& spec, const char* field) {
  ATTEND_RETURN_IF_ERROR(CheckKind(kind, spec, field));
  if (kind == AttentionKind::kCross) {
    return InvalidField("OPTION_OUT_OF_RANGE", field,
                        "cross attention is between two texts; a query follows the attention of "
                        "one text to itself");
  }
  if (kind == AttentionKind::kEncoderSelf || spec.encoder.num_layers == 0) return absl::OkStatus();
  ErrorDetail detail;
  detail.reason = "CAPABILITY_MISSING";
  detail.field = field;
  detail.metadata = {{"kind", Name(kind)}, {"architecture", spec.architecture}};
  detail.resource_type = "CAPABILITY";
  detail.resource_name = absl::StrCat("attention/", Name(kind));
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("a ", spec.architecture,
                                " reads texts with its encoder; its decoder attends to what it "
                                "writes"),
                   std::move(detail));
}

class QueryCall final : public OnePassCall<QueryAttentionOutput> {
 public:
  QueryCall(CallEnvironment environment, QueryAttentionInput input, Done<QueryAttentionOutput> done)
      : OnePassCall(std::move(environment), std::move(done)), input_(std::move(input)) {}

 private:
  absl::Status Prepare() override {
    const absl::Time begin = absl::Now();
    const TaskModel& model = environment_.model;
    ATTEND_RETURN_IF_ERROR(CheckStillWanted(environment_));
    ATTEND_RETURN_IF_ERROR(CheckCapability(model, ModelCapability::kAttention));
    ATTEND_ASSIGN_OR_RETURN(output_.preset, ResolveQueryHeads(input_, *model.spec, *model.presets));
    ATTEND_ASSIGN_OR_RETURN(const std::string language,
                            ParseLanguageCode(input_.source_language, "source_language_code"));
    ATTEND_ASSIGN_OR_RETURN(QueryText text,
                            ReadQueryText(input_.source, input_.query, language, environment_));
    ATTEND_RETURN_IF_ERROR(
        FindPlaces(text, language.empty() ? model.languages->own().source : language));
    output_.model = model.name;
    output_.revision = model.revision;
    output_.window = text.window;
    output_.usage.input_tokens = static_cast<int64_t>(text.axis.tokens.size());
    std::vector<int> query_tokens = TokensIn(text.axis, input_.query);
    if (query_tokens.empty())
      return InvalidField("SPAN_EMPTY", "query", "the tokenizer keeps nothing of the span");
    weights_.emplace(SelectionOf(output_.preset, *model.spec).kinds[0], std::move(query_tokens),
                     text.axis);
    reading_ = std::make_unique<ForcedReading>(std::move(text.axis), TextAxis());
    reading_->Watch(&*weights_);
    output_.usage.tokenize = absl::Now() - begin;
    return absl::OkStatus();
  }

  absl::Status FindPlaces(const QueryText& text, const std::string& language) {
    if (input_.candidates.size() > kMaxCandidates) {
      return InvalidField("OPTION_OUT_OF_RANGE", "candidates",
                          absl::StrCat("at most ", kMaxCandidates, " candidates are taken"));
    }
    if (!input_.candidates.empty()) {
      ATTEND_ASSIGN_OR_RETURN(places_, PlacesOfCandidates(input_.source, text.window, text.axis,
                                                          input_.candidates, input_.query));
      return absl::OkStatus();
    }
    QueryRules rules;
    rules.query = input_.query;
    rules.language = language;
    rules.include_function_words = input_.include_function_words;
    rules.only_earlier = output_.preset.kind == AttentionKind::kDecoderSelf &&
                         output_.preset.terms.empty() &&
                         output_.preset.direction == AttentionDirection::kFromQuery;
    places_ = PlacesOfWords(text.axis, rules);
    return absl::OkStatus();
  }

  void Finish(absl::Status status) override {
    if (!status.ok()) {
      End(std::move(status));
      return;
    }
    const int max_results = input_.max_results > 0 ? input_.max_results : kDefaultMaxResults;
    output_.answers = RankPlaces(input_.source, places_, *weights_, output_.preset, max_results);
    End(absl::OkStatus());
  }

  QueryAttentionInput input_;
  std::vector<QueryPlace> places_;
  std::optional<QueryWeights> weights_;  // the reading borrows it
};

}  // namespace

absl::StatusOr<AttentionPreset> ResolveQueryHeads(const QueryAttentionInput& input,
                                                  const ModelSpec& spec,
                                                  absl::Span<const AttentionPreset> presets) {
  if (!input.has_head_list) {
    const std::string name = input.preset.empty() ? kCoreferencePreset : input.preset;
    ATTEND_ASSIGN_OR_RETURN(const AttentionPreset* preset, RequirePreset(name, presets, "preset"));
    ATTEND_RETURN_IF_ERROR(CheckFollowable(preset->kind, spec, "preset"));
    return *preset;
  }
  ATTEND_RETURN_IF_ERROR(CheckFollowable(input.kind, spec, "kind"));
  ATTEND_RETURN_IF_ERROR(CheckHeadList(input.heads, {input.kind}, spec, "head_list.heads"));
  AttentionPreset preset;
  preset.kind = input.kind;
  preset.heads = input.heads;
  preset.direction = input.direction;
  return preset;
}

void RunQueryAttention(CallEnvironment environment, QueryAttentionInput input,
                       Done<QueryAttentionOutput> done) {
  const size_t bytes = input.source.size();
  std::make_shared<QueryCall>(std::move(environment), std::move(input), std::move(done))
      ->Start(bytes);
}

}  // namespace attend
