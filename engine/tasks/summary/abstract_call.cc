// The forced pass over each part and its summary gives the cross attention that says what the
// written sentences lean on.
#include "engine/tasks/summary/abstract_call.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/attention_presets.h"
#include "engine/tasks/call_checks.h"
#include "engine/tasks/summary/sentence_support.h"
#include "engine/tasks/summary/source_parts.h"
#include "engine/tasks/summary/summary_checks.h"
#include "engine/tasks/writing_call.h"
#include "engine/text/sentence_splitter.h"

namespace attend {
namespace {

constexpr char kTaskName[] = "summarization";  // in config.json's task_specific_params
constexpr char kBetweenParts[] = "\n";

const TaskParameters* FindTask(const ModelSpec& spec) {
  const auto found = std::find_if(spec.tasks.begin(), spec.tasks.end(),
                                  [](const TaskParameters& t) { return t.task == kTaskName; });
  return found == spec.tasks.end() ? nullptr : &*found;
}

// The checkpoint's options as it wants them for summaries.
GenerationOptions OptionsOfTask(const TaskModel& model, const EngineLimits& limits) {
  GenerationOptions options = *model.generation;
  const TaskParameters* task = FindTask(*model.spec);
  if (task == nullptr) return options;
  const auto whole = [](int64_t value) { return static_cast<int>(value); };
  const int64_t longest = model.spec->decoder.max_position_embeddings + 1;
  if (task->max_length) options.max_length = whole(std::min(*task->max_length, longest));
  if (task->min_length) options.min_length = whole(std::min(*task->min_length, longest));
  if (task->num_beams)
    options.num_beams = whole(std::min<int64_t>(*task->num_beams, limits.max_num_beams));
  if (task->no_repeat_ngram_size) options.no_repeat_ngram_size = whole(*task->no_repeat_ngram_size);
  if (task->length_penalty) options.length_penalty = *task->length_penalty;
  if (task->early_stopping)
    options.early_stopping = *task->early_stopping ? EarlyStopping::kTrue : EarlyStopping::kFalse;
  return options;
}

class AbstractCall final : public WritingCall {
 public:
  AbstractCall(CallEnvironment environment, WritingInput writing, SummarizeInput input,
               Done<SummarizeOutput> done)
      : WritingCall(std::move(environment), std::move(writing)),
        config_(std::move(input)),
        done_(std::move(done)),
        defaults_(OptionsOfTask(model_, environment_.limits)) {
    model_.generation = &defaults_;
  }

 private:
  // Chooses abbreviations, of the text and of what is written in its language.
  const std::string& language() const {
    return config_.language.empty() ? model_.languages->own().source : config_.language;
  }
  bool needs_reading() const override { return selection_.has_value(); }
  // What was written is not thrown away for want of what it leaned on.
  bool reading_is_optional() const override { return true; }

  absl::Status Prepare() override {
    ATTEND_RETURN_IF_ERROR(CheckStillWanted(environment_));
    ATTEND_RETURN_IF_ERROR(CheckCapability(model_, ModelCapability::kSummarization));
    ATTEND_RETURN_IF_ERROR(
        CheckCount(input_.texts.size(), input_.on_delta != nullptr, environment_.limits));
    SourceFrame frame;
    if (const TaskParameters* task = FindTask(*model_.spec)) frame.prefix = task->prefix;
    TargetStart start;
    start.prefix = config_.target_prefix;
    if (!config_.language.empty() && !model_.languages->languages().empty()) {
      start.language = frame.language = model_.languages->Find(config_.language);
      if (frame.language == nullptr)
        return PairNotServed({config_.language, ""}, {{model_.name, model_.languages}});
    }
    encoder_.emplace(model_.tokenizer, std::move(frame));
    ATTEND_ASSIGN_OR_RETURN(options_, PrepareOptions(model_, environment_.limits, input_.decoding,
                                                     start, "config.decoding"));
    if (!config_.omit_supports) {
      AttentionSelection selection;
      selection.kinds = {AttentionKind::kCross};
      selection.preset = kAlignmentPreset;
      selection.drop_special = true;
      ATTEND_ASSIGN_OR_RETURN(selection_,
                              ResolveSelection(selection, *model_.spec, *model_.presets, "config"));
    }
    sentences_.resize(input_.texts.size());
    return absl::OkStatus();
  }

  absl::Status Cut(size_t index, const std::string& field, TextWork* work) override {
    const std::string& text = input_.texts[index];
    ATTEND_RETURN_IF_ERROR(CheckDocument(text, environment_.limits, field));
    SegmentOptions options;
    options.language = language();
    options.max_tokens = model_.max_input_tokens;
    options.overflow = config_.overflow;
    options.max_segments = environment_.limits.max_document_sentences;
    sentences_[index] = SplitSentences(text, SplitOptions{options.language, LineBreaks::kByLayout});
    ATTEND_ASSIGN_OR_RETURN(work->segments, CutIntoParts(text, *encoder_, options, field));
    work->layout.assign(work->segments.size() + 1, kBetweenParts);
    work->layout.front().clear();
    work->layout.back().clear();
    for (const TextSegment& segment : work->segments) {
      ATTEND_RETURN_IF_ERROR(
          CheckVocabulary(segment.encoded.ids(), model_.spec->source_vocab_size, model_));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int64_t> Watch(TextWork* work) override {
    int64_t bytes = 0;
    for (const auto& reading : work->readings) {
      bytes += reading->FoldBytes(*selection_);
      reading->WatchSelection(*selection_);
    }
    return bytes;
  }

  Summary Assemble(size_t index) {
    TextWork* const work = &works_[index];
    const std::vector<ByteSpan>& source = sentences_[index];
    Summary out;
    Translation written = AssembleTranslation(work, *model_.tokenizer, TranslationShape());
    for (const ByteSpan& span : source) {
      ScoredSentence sentence;
      sentence.span = span;
      out.sentences.push_back(std::move(sentence));
    }
    for (size_t s = 0; s < work->readings.size(); ++s) {
      const SentencePair& part = written.sentences[s];
      std::vector<ByteSpan> sentences = SplitSentences(
          std::string_view(written.text).substr(part.target.begin, part.target.size()), language());
      for (ByteSpan& span : sentences) {
        span.begin += part.target.begin;
        span.end += part.target.begin;
      }
      for (SentenceSupport& support :
           FoldSupport(work->readings[s]->TakeAttention(), sentences, source))
        out.supports.push_back(std::move(support));
    }
    out.text = std::move(written.text);
    out.finish_reason = written.hypotheses[0].finish_reason;
    out.truncated_input_tokens = written.truncated_input_tokens;
    out.input_tokens = written.input_tokens;
    out.output_tokens = written.output_tokens;
    out.num_segments = written.num_segments;
    out.duration = written.duration;
    return out;
  }

  void Finish(std::shared_ptr<const void>) override {
    const absl::Time begin = absl::Now();
    SummarizeOutput output;
    output.model = model_.name;
    output.revision = model_.revision;
    for (size_t i = 0; i < works_.size(); ++i) {
      SummarizeOutcome outcome;
      outcome.status = works_[i].status;
      if (outcome.status.ok()) outcome.summary = Assemble(i);
      output.outcomes.push_back(std::move(outcome));
    }
    usage_.detokenize = absl::Now() - begin;
    output.usage = usage_;
    Close();
    auto done = std::move(done_);
    done(std::move(output));
  }

  void Fail(absl::Status status) override {
    auto done = std::move(done_);
    done(std::move(status));
  }

  const SummarizeInput config_;  // but for what input_ has
  Done<SummarizeOutput> done_;
  GenerationOptions defaults_;  // of the checkpoint, for summaries
  std::optional<SourceEncoder> encoder_;
  std::optional<ResolvedSelection> selection_;    // of what supports are made of
  std::vector<std::vector<ByteSpan>> sentences_;  // of each text
};

}  // namespace

void RunAbstract(CallEnvironment environment, SummarizeInput input, Done<SummarizeOutput> done) {
  WritingInput writing{std::move(input.texts), std::move(input.decoding),
                       std::move(input.on_delta)};
  std::make_shared<AbstractCall>(std::move(environment), std::move(writing), std::move(input),
                                 std::move(done))
      ->Start();
}

}  // namespace attend
