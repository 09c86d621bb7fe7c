// Both calls are the same pass with different watchers; what differs is what the target is and what
// is made of the weights.
#include "engine/tasks/attention_task.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/attention_presets.h"
#include "engine/tasks/call_checks.h"
#include "engine/tasks/forced_reading.h"
#include "engine/tasks/pass_call.h"
#include "engine/tasks/preparation.h"
#include "engine/tasks/request_group.h"
#include "engine/tasks/translation_parts.h"  // PrepareOptions, OptionsOfSegment

namespace attend {
namespace {

// How a pair is read. Without languages the text is read as it is, which every model can do.
// `needs_target`: whether anything is written, or given, in the other language.
absl::StatusOr<TranslationRoute> RouteOf(const CallEnvironment& environment,
                                         const LanguagePair& wanted, bool needs_target) {
  const TaskModel& model = environment.model;
  TranslationRoute route;
  if (wanted.source.empty() && wanted.target.empty()) return route;
  if (needs_target || !wanted.target.empty()) return model.languages->Route(wanted, model.name, "");
  ATTEND_RETURN_IF_ERROR(model.languages->CheckServes(wanted, model.name));
  route.source.language = model.languages->Find(wanted.source);
  return route;
}

// A given text as the axis of a pass; it must fit the model whole.
absl::StatusOr<TextAxis> AxisOfGiven(const std::string& text, TextSide side,
                                     const TranslationRoute& route,
                                     const CallEnvironment& environment) {
  const char* const field = side == TextSide::kSource ? "source" : "target";
  const TaskModel& model = environment.model;
  ATTEND_RETURN_IF_ERROR(CheckTextPresent(text, environment.limits, field));
  EncodedText encoded;
  if (side == TextSide::kSource) {
    encoded = SourceEncoder(model.tokenizer, route.source).Encode(text);
  } else if (route.target != nullptr) {
    encoded = model.tokenizer->EncodeIn(text, side, *route.target);
  } else {
    encoded = model.tokenizer->Encode(text, side);
  }
  if (std::all_of(encoded.tokens.begin(), encoded.tokens.end(),
                  [](const EncodedToken& t) { return t.special; })) {
    return InvalidField("EMPTY_INPUT", field, "the tokenizer keeps nothing of the text");
  }
  const int64_t limit = side == TextSide::kSource ? model.max_input_tokens
                                                  : model.spec->decoder.max_position_embeddings;
  const int64_t count = static_cast<int64_t>(encoded.tokens.size());
  if (count > limit) return InputTooLong(field, "tokens", count, limit);
  const int64_t vocab_size =
      side == TextSide::kSource ? model.spec->source_vocab_size : model.spec->target_vocab_size;
  ATTEND_RETURN_IF_ERROR(CheckVocabulary(encoded.ids(), vocab_size, model));
  return AxisOfEncoded(text, encoded, 0);
}

class AttentionCall : private PassCall<AttentionOutput>,
                      public std::enable_shared_from_this<AttentionCall> {
 public:
  AttentionCall(CallEnvironment environment, AttentionInput input, Done<AttentionOutput> done)
      : PassCall(std::move(environment), std::move(done)), input_(std::move(input)) {}

  void Start() {
    const size_t bytes = input_.source.size() + (input_.target ? input_.target->size() : 0);
    PrepareInSteps(environment_, bytes, [self = shared_from_this()] {
      self->Begin();
      return false;
    });
  }

 private:
  void Begin() {
    absl::Status status = Prepare();
    if (!status.ok()) {
      End(std::move(status));
    } else if (selection_.needs_decoder() && !input_.target) {
      Generate();
    } else {
      Read(GroupPatience::kRefuse);
    }
  }

  int64_t max_bytes() const {
    return input_.max_bytes > 0 ? input_.max_bytes : environment_.limits.max_attention_bytes;
  }

  absl::Status Prepare() {
    const absl::Time begin = absl::Now();
    ATTEND_RETURN_IF_ERROR(CheckStillWanted(environment_));
    ATTEND_RETURN_IF_ERROR(CheckCapability(environment_.model, ModelCapability::kAttention));
    ATTEND_ASSIGN_OR_RETURN(selection_, ResolveSelection(input_.selection, *environment_.model.spec,
                                                         *environment_.model.presets, "selection"));
    ATTEND_ASSIGN_OR_RETURN(route_,
                            RouteOf(environment_, {input_.source_language, input_.target_language},
                                    selection_.needs_decoder()));
    ATTEND_ASSIGN_OR_RETURN(source_,
                            AxisOfGiven(input_.source, TextSide::kSource, route_, environment_));
    // A model without a decoder reads no target, and no selection of it asks for one.
    if (input_.target && environment_.model.spec->has_decoder()) {
      ATTEND_ASSIGN_OR_RETURN(TextAxis target,
                              AxisOfGiven(*input_.target, TextSide::kTarget, route_, environment_));
      output_.attention.target_text = *input_.target;
      if (selection_.needs_decoder()) target_ = std::move(target);
    }
    output_.usage.input_tokens = static_cast<int64_t>(source_.tokens.size());
    output_.usage.tokenize = absl::Now() - begin;
    return CheckBytes();
  }

  // With a target that is yet to be written, what the source alone needs.
  absl::Status CheckBytes() const {
    return CheckAnswerBytes(BytesOfAnswer(), max_bytes(), "selection");
  }

  int64_t BytesOfAnswer() const {
    const bool words = selection_.granularity == AttentionGranularity::kWord;
    const auto size = [words](const TextAxis& axis) {
      return static_cast<int64_t>(words ? axis.words.size() : axis.tokens.size());
    };
    return AnswerBytes(selection_, size(source_), size(target_));
  }

  void Generate() {
    const GenerationOverrides overrides = [] {
      GenerationOverrides o;
      o.num_return_sequences = 1;
      return o;
    }();
    auto options = PrepareOptions(environment_.model, environment_.limits, overrides,
                                  {"", route_.target}, "decoding");
    if (!options.ok()) {
      End(options.status());
      return;
    }
    auto request = std::make_shared<GenerationRequest>();
    for (const AttendedToken& token : source_.tokens) request->source_ids.push_back(token.id);
    request->options = OptionsOfSegment(
        *options, overrides, static_cast<int64_t>(request->source_ids.size()), SegmentPlace{});
    RequestGroup group;
    group.requests.push_back(std::move(request));
    group.on_finished = [self = shared_from_this()](const absl::Status& status,
                                                    const std::vector<GenerationResult>& results) {
      self->OnGenerated(status, results);
    };
    RunGroup(environment_, std::move(group));
  }

  void OnGenerated(absl::Status status, const std::vector<GenerationResult>& results) {
    const int64_t input_tokens = output_.usage.input_tokens;
    AddUsage(results, /*forced=*/false, &output_.usage);
    output_.usage.input_tokens = input_tokens;
    if (status.ok()) status = results[0].status;
    if (status.ok()) {
      const Hypothesis& best = results[0].hypotheses[0];
      const Tokenizer& tokenizer = *environment_.model.tokenizer;
      const DecodedText decoded =
          tokenizer.Decode(best.tokens, TextSide::kTarget, /*keep_special=*/false);
      target_ = AxisOfDecoded(tokenizer, best.tokens, decoded, best.log_probs, 0);
      output_.attention.target_text = decoded.text;
      status = CheckBytes();
    }
    if (!status.ok()) {
      End(std::move(status));
      return;
    }
    Read(GroupPatience::kPersist);
  }

  void Read(GroupPatience patience) {
    const int64_t answer_bytes = BytesOfAnswer();
    reading_ = std::make_unique<ForcedReading>(std::move(source_), std::move(target_));
    auto memory = environment_.attention_memory->Take(
        answer_bytes + reading_->FoldBytes(selection_) +
        reading_->LayerBytes(selection_, *environment_.model.spec));
    if (!memory.ok()) {
      End(memory.status());
      return;
    }
    output_.memory = *std::move(memory);
    reading_->WatchSelection(selection_);
    RunPass(environment_, reading_.get(), patience, &output_.usage,
            [self = shared_from_this()](absl::Status status) { self->Finish(std::move(status)); });
  }

  void Finish(absl::Status status) {
    if (!status.ok()) {
      End(std::move(status));
      return;
    }
    std::string target_text = std::move(output_.attention.target_text);
    output_.attention = reading_->TakeAttention();
    output_.attention.target_text = std::move(target_text);
    End(absl::OkStatus());
  }

  AttentionInput input_;
  ResolvedSelection selection_;
  TranslationRoute route_;
  TextAxis source_, target_;
};

class AlignCall final : public OnePassCall<AlignOutput> {
 public:
  AlignCall(CallEnvironment environment, AlignInput input, Done<AlignOutput> done)
      : OnePassCall(std::move(environment), std::move(done)), input_(std::move(input)) {}

 private:
  absl::Status Prepare() override {
    const absl::Time begin = absl::Now();
    const TaskModel& model = environment_.model;
    ATTEND_RETURN_IF_ERROR(CheckStillWanted(environment_));
    ATTEND_RETURN_IF_ERROR(CheckCapability(model, ModelCapability::kAttention));
    if (!std::isfinite(input_.min_score) || input_.min_score < 0) {
      return InvalidField("OPTION_OUT_OF_RANGE", "min_score",
                          "min_score must be a finite number, 0 or more");
    }
    const AttentionPreset* preset = FindPreset(*model.presets, kAlignmentPreset);
    if (preset == nullptr) {
      ErrorDetail detail;
      detail.reason = "CAPABILITY_MISSING";
      detail.metadata = {{"capability", "alignment"}, {"architecture", model.spec->architecture}};
      detail.resource_type = "CAPABILITY";
      detail.resource_name = "alignment";
      return MakeError(
          absl::StatusCode::kFailedPrecondition,
          absl::StrCat("model ", model.name, " has no cross attention to align words by"),
          std::move(detail));
    }
    ATTEND_ASSIGN_OR_RETURN(const TranslationRoute route,
                            RouteOf(environment_, {input_.source_language, input_.target_language},
                                    /*needs_target=*/true));
    ATTEND_ASSIGN_OR_RETURN(TextAxis source,
                            AxisOfGiven(input_.source, TextSide::kSource, route, environment_));
    ATTEND_ASSIGN_OR_RETURN(TextAxis target,
                            AxisOfGiven(input_.target, TextSide::kTarget, route, environment_));
    output_.usage.input_tokens = static_cast<int64_t>(source.tokens.size() + target.tokens.size());
    reading_ = std::make_unique<ForcedReading>(std::move(source), std::move(target));
    reading_->WatchAlignment(*preset, *model.spec);
    output_.usage.tokenize = absl::Now() - begin;
    return absl::OkStatus();
  }

  void Finish(absl::Status status) override {
    if (!status.ok()) {
      End(std::move(status));
      return;
    }
    output_.links = reading_->TakeLinks();
    const auto weak = [this](const WordLink& link) { return link.score < input_.min_score; };
    output_.links.erase(std::remove_if(output_.links.begin(), output_.links.end(), weak),
                        output_.links.end());
    output_.source_words = reading_->source().words;
    output_.target_words = reading_->target().words;
    End(absl::OkStatus());
  }

  AlignInput input_;
};

}  // namespace

void RunGetAttention(CallEnvironment environment, AttentionInput input,
                     Done<AttentionOutput> done) {
  std::make_shared<AttentionCall>(std::move(environment), std::move(input), std::move(done))
      ->Start();
}

void RunAlignWords(CallEnvironment environment, AlignInput input, Done<AlignOutput> done) {
  const size_t bytes = input.source.size() + input.target.size();
  std::make_shared<AlignCall>(std::move(environment), std::move(input), std::move(done))
      ->Start(bytes);
}

}  // namespace attend
