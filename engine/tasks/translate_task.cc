// A translation: what the language pair asks of the model, and what is made of texts, words and
// attention. How texts are written is writing_call's.
#include "engine/tasks/translate_task.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "engine/base/call_errors.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/attention_presets.h"
#include "engine/tasks/call_checks.h"
#include "engine/tasks/writing_call.h"

namespace attend {
namespace {

constexpr char kAttentionField[] = "config.attention";

class TranslateCall final : public WritingCall {
 public:
  TranslateCall(CallEnvironment environment, WritingInput writing, TranslateInput input,
                Done<TranslateOutput> done)
      : WritingCall(std::move(environment), std::move(writing)),
        config_(std::move(input)),
        done_(std::move(done)) {}

 private:
  bool needs_reading() const override {
    return config_.include_word_links || selection_.has_value();
  }

  absl::Status Prepare() override {
    ATTEND_RETURN_IF_ERROR(CheckStillWanted(environment_));
    ATTEND_RETURN_IF_ERROR(CheckCapability(model_, ModelCapability::kTranslation));
    ATTEND_RETURN_IF_ERROR(CheckCount());
    ATTEND_ASSIGN_OR_RETURN(
        route_, model_.languages->Route({config_.source_language, config_.target_language},
                                        model_.name, "config."));
    encoder_.emplace(model_.tokenizer, route_.source);
    ATTEND_ASSIGN_OR_RETURN(
        options_, PrepareOptions(model_, environment_.limits, input_.decoding,
                                 {config_.target_prefix, route_.target}, "config.decoding"));
    if (config_.attention) {
      ATTEND_ASSIGN_OR_RETURN(selection_, ResolveSelection(*config_.attention, *model_.spec,
                                                           *model_.presets, kAttentionField));
    }
    return absl::OkStatus();
  }

  absl::Status CheckCount() const {
    if (input_.texts.empty())
      return InvalidField("NO_ITEMS", "texts", "there is no text to translate");
    const size_t limit = input_.on_delta ? 1 : static_cast<size_t>(environment_.limits.max_texts);
    if (input_.texts.size() <= limit) return absl::OkStatus();
    return TooManyTexts(static_cast<int64_t>(input_.texts.size()), static_cast<int64_t>(limit));
  }

  absl::Status Cut(size_t index, const std::string& field, TextWork* work) override {
    const std::string& text = input_.texts[index];
    ATTEND_RETURN_IF_ERROR(CheckText(text, environment_.limits, field));
    SegmentOptions options;
    options.language =
        config_.source_language.empty() ? route_.pair.source : config_.source_language;
    options.max_tokens = model_.max_input_tokens;
    options.overflow = config_.overflow;
    options.max_segments = environment_.limits.max_segments;
    ATTEND_ASSIGN_OR_RETURN(work->segments, CutIntoSegments(text, *encoder_, options, field));
    work->layout = Layout(text, work->segments);
    for (const TextSegment& segment : work->segments) {
      ATTEND_RETURN_IF_ERROR(
          CheckVocabulary(segment.encoded.ids(), model_.spec->source_vocab_size, model_));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> Watch(TextWork* work) override {
    int64_t bytes = 0;
    if (selection_) {
      const int64_t need = answer_bytes_ + BytesOf(*work);
      ATTEND_RETURN_IF_ERROR(
          CheckAnswerBytes(need, environment_.limits.max_attention_bytes, kAttentionField));
      bytes = need - answer_bytes_;
      answer_bytes_ = need;
    }
    const AttentionPreset* alignment = FindPreset(*model_.presets, kAlignmentPreset);
    for (auto& reading : work->readings) {
      if (selection_) {
        bytes += reading->FoldBytes(*selection_);
        reading->WatchSelection(*selection_);
      }
      if (config_.include_word_links) reading->WatchAlignment(*alignment, *model_.spec);
    }
    return bytes;
  }

  int64_t BytesOf(const TextWork& work) const {
    int64_t bytes = 0;
    for (const auto& reading : work.readings) {
      const bool words = selection_->granularity == AttentionGranularity::kWord;
      const TextAxis& source = reading->source();
      const TextAxis& target = reading->target();
      bytes += AnswerBytes(
          *selection_, static_cast<int64_t>(words ? source.words.size() : source.tokens.size()),
          static_cast<int64_t>(words ? target.words.size() : target.tokens.size()));
    }
    return bytes;
  }

  void Finish(std::shared_ptr<const void> memory) override {
    const absl::Time begin = absl::Now();
    TranslateOutput output;
    output.model = model_.name;
    output.revision = model_.revision;
    TranslationShape shape;
    shape.include_tokens = config_.include_tokens;
    shape.include_word_links = config_.include_word_links;
    shape.include_attention = selection_.has_value();
    for (TextWork& work : works_) {
      TranslateOutcome outcome;
      outcome.status = work.status;
      if (work.status.ok()) {
        outcome.translation = AssembleTranslation(&work, *model_.tokenizer, shape);
        outcome.translation.duration += usage_.tokenize;
      }
      output.outcomes.push_back(std::move(outcome));
    }
    usage_.detokenize = absl::Now() - begin;
    output.usage = usage_;
    output.memory = std::move(memory);
    Close();
    auto done = std::move(done_);
    done(std::move(output));
  }

  void Fail(absl::Status status) override {
    auto done = std::move(done_);
    done(std::move(status));
  }

  const TranslateInput config_;  // but for what input_ has
  Done<TranslateOutput> done_;
  TranslationRoute route_;
  std::optional<SourceEncoder> encoder_;
  std::optional<ResolvedSelection> selection_;
  int64_t answer_bytes_ = 0;  // of weights, of the texts watched so far
};

}  // namespace

void RunTranslate(CallEnvironment environment, TranslateInput input, Done<TranslateOutput> done) {
  WritingInput writing{std::move(input.texts), std::move(input.decoding),
                       std::move(input.on_delta)};
  std::make_shared<TranslateCall>(std::move(environment), std::move(writing), std::move(input),
                                  std::move(done))
      ->Start();
}

}  // namespace attend
