// Two groups of requests, as in translate_task: the searches, then a forced pass over each part and
// its summary, whose cross attention says what the written sentences lean on.
#include "engine/tasks/summary/abstract_call.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/call_errors.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/attention_presets.h"
#include "engine/tasks/call_checks.h"
#include "engine/tasks/delta_stream.h"
#include "engine/tasks/preparation.h"
#include "engine/tasks/request_group.h"
#include "engine/tasks/summary/sentence_support.h"
#include "engine/tasks/summary/source_parts.h"
#include "engine/tasks/summary/summary_checks.h"
#include "engine/tasks/translation_parts.h"
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

class AbstractCall : public std::enable_shared_from_this<AbstractCall> {
 public:
  AbstractCall(CallEnvironment environment, SummarizeInput input, Done<SummarizeOutput> done)
      : environment_(std::move(environment)),
        model_(environment_.model),
        input_(std::move(input)),
        done_(std::move(done)),
        defaults_(OptionsOfTask(model_, environment_.limits)) {
    model_.generation = &defaults_;
  }

  void Start() {
    size_t bytes = 0;
    for (const std::string& text : input_.texts) bytes += text.size();
    const absl::Status prepared = Prepare();
    if (!prepared.ok()) {
      End(prepared);
      return;
    }
    PrepareInSteps(environment_, bytes, [self = shared_from_this()] { return self->CutNext(); });
  }

 private:
  // One text: its parts as the segments of a translation, and its own sentences.
  struct Work : TextWork {
    std::vector<ByteSpan> sentences;
  };

  absl::Status Prepare() {
    ATTEND_RETURN_IF_ERROR(CheckStillWanted(environment_));
    ATTEND_RETURN_IF_ERROR(CheckCapability(model_, ModelCapability::kSummarization));
    ATTEND_RETURN_IF_ERROR(CheckCount(input_, environment_.limits));
    SourceFrame frame;
    if (const TaskParameters* task = FindTask(*model_.spec)) frame.prefix = task->prefix;
    TargetStart start;
    start.prefix = input_.target_prefix;
    if (!input_.language.empty() && !model_.languages->languages().empty()) {
      start.language = frame.language = model_.languages->Find(input_.language);
      if (frame.language == nullptr)
        return PairNotServed({input_.language, input_.language}, {{model_.name, model_.languages}});
    }
    encoder_.emplace(model_.tokenizer, std::move(frame));
    ATTEND_ASSIGN_OR_RETURN(options_, PrepareOptions(model_, environment_.limits, input_.decoding,
                                                     start, "config.decoding"));
    if (!input_.omit_supports) {
      AttentionSelection selection;
      selection.kinds = {AttentionKind::kCross};
      selection.preset = kAlignmentPreset;
      selection.drop_special = true;
      ATTEND_ASSIGN_OR_RETURN(selection_,
                              ResolveSelection(selection, *model_.spec, *model_.presets, "config"));
    }
    works_.resize(input_.texts.size());
    return absl::OkStatus();
  }

  bool CutNext() {
    const absl::Status wanted = CheckStillWanted(environment_);
    if (!wanted.ok()) {
      End(wanted);
      return false;
    }
    const absl::Time begin = absl::Now();
    works_[num_cut_].status = Cut(num_cut_);
    usage_.tokenize += absl::Now() - begin;
    if (++num_cut_ < works_.size()) return true;
    Generate();
    return false;
  }

  absl::Status Cut(size_t index) {
    const std::string& text = input_.texts[index];
    const std::string field =
        input_.on_delta ? std::string("text") : absl::StrCat("texts[", index, "]");
    Work& work = works_[index];
    ATTEND_RETURN_IF_ERROR(CheckDocument(text, environment_.limits, field));
    SegmentOptions options;
    options.language = input_.language.empty() ? model_.languages->own().source : input_.language;
    options.max_tokens = model_.max_input_tokens;
    options.overflow = input_.overflow;
    options.max_segments = environment_.limits.max_document_sentences;
    work.sentences = SplitSentences(text, SplitOptions{options.language, LineBreaks::kByLayout});
    ATTEND_ASSIGN_OR_RETURN(work.segments, CutIntoParts(text, *encoder_, options, field));
    work.layout.assign(work.segments.size() + 1, kBetweenParts);
    work.layout.front().clear();
    work.layout.back().clear();
    for (const TextSegment& segment : work.segments) {
      ATTEND_RETURN_IF_ERROR(
          CheckVocabulary(segment.encoded.ids(), model_.spec->source_vocab_size, model_));
    }
    return absl::OkStatus();
  }

  void Generate() {
    if (input_.on_delta) OpenStream();
    RequestGroup group;
    for (size_t i = 0; i < works_.size(); ++i) {
      if (!works_[i].status.ok()) continue;
      for (size_t s = 0; s < works_[i].segments.size(); ++s) {
        auto request = std::make_shared<GenerationRequest>();
        request->source_ids = works_[i].segments[s].encoded.ids();
        request->options = OptionsOfSegment(
            options_, input_.decoding, static_cast<int64_t>(request->source_ids.size()), {i, s});
        if (stream_ != nullptr) {
          request->on_settled = [stream = stream_, s](absl::Span<const int32_t> tokens) {
            stream->OnSettled(s, tokens);
          };
        }
        group.requests.push_back(std::move(request));
      }
    }
    if (stream_ != nullptr) {
      group.on_result = [stream = stream_](size_t s, const GenerationResult& result) {
        if (result.status.ok()) stream->OnSegmentDone(s, result.hypotheses[0].tokens);
      };
    }
    group.on_finished = [self = shared_from_this()](absl::Status status,
                                                    std::vector<GenerationResult> results) {
      self->OnGenerated(std::move(status), std::move(results));
    };
    RunGroup(environment_, std::move(group));
  }

  void OpenStream() {
    if (!works_[0].status.ok() || works_[0].segments.empty()) return;
    DeltaStream::Options options;
    options.tokenizer = model_.tokenizer;
    options.layout = works_[0].layout;
    options.on_delta = input_.on_delta;
    options.post = [senders = environment_.senders](std::function<void()> work) {
      senders->Post(std::move(work));
    };
    stream_ = DeltaStream::Create(std::move(options));
  }

  void OnGenerated(absl::Status status, std::vector<GenerationResult> results) {
    AddUsage(results, /*forced=*/false, &usage_);
    if (!status.ok()) {
      End(status);
      return;
    }
    size_t next = 0;
    for (Work& work : works_) {
      if (!work.status.ok()) continue;
      for (size_t s = 0; s < work.segments.size(); ++s) {
        GenerationResult& result = results[next++];
        if (!result.status.ok() && work.status.ok()) work.status = result.status;
        work.results.push_back(std::move(result));
      }
    }
    if (stream_ != nullptr) stream_->Close(works_[0].status.ok());
    if (selection_) {
      Read();
    } else {
      Finish();
    }
  }

  void Read() {
    RequestGroup group;
    group.patience = GroupPatience::kPersist;
    int64_t memory = 0;
    for (size_t i = 0; i < works_.size(); ++i) {
      Work& work = works_[i];
      if (!work.status.ok()) continue;
      MakeReadings(input_.texts[i], &work);
      for (const auto& reading : work.readings) {
        memory += reading->FoldBytes(*selection_);
        reading->WatchSelection(*selection_);
        group.requests.push_back(reading->MakeRequest(model_));
      }
    }
    auto lease = environment_.attention_memory->Take(memory);
    if (!lease.ok()) {
      End(lease.status());
      return;
    }
    memory_ = *std::move(lease);
    group.on_finished = [self = shared_from_this()](absl::Status status,
                                                    std::vector<GenerationResult> results) {
      self->OnRead(std::move(status), results);
    };
    RunGroup(environment_, std::move(group));
  }

  void MakeReadings(const std::string& text, Work* work) {
    const JoinedText joined = JoinSegments(*work, 0, *model_.tokenizer);
    for (size_t s = 0; s < work->segments.size(); ++s) {
      const TextSegment& segment = work->segments[s];
      const Hypothesis& best = work->results[s].hypotheses[0];
      const std::string_view part =
          std::string_view(text).substr(segment.span.begin, segment.span.size());
      work->readings.push_back(std::make_unique<ForcedReading>(
          AxisOfEncoded(part, segment.encoded, segment.span.begin),
          AxisOfDecoded(*model_.tokenizer, best.tokens, joined.parts[s], best.log_probs,
                        joined.offsets[s])));
    }
  }

  void OnRead(absl::Status status, const std::vector<GenerationResult>& results) {
    AddUsage(results, /*forced=*/true, &usage_);
    if (!status.ok()) {
      End(status);
      return;
    }
    size_t next = 0;
    for (Work& work : works_) {
      if (!work.status.ok()) continue;
      for (size_t s = 0; s < work.segments.size(); ++s) {
        const absl::Status& pass = results[next++].status;
        if (!pass.ok() && work.status.ok()) work.status = pass;
      }
    }
    Finish();
  }

  Summary Assemble(Work* work) {
    Summary out;
    Translation written = AssembleTranslation(work, *model_.tokenizer, TranslationShape());
    for (const ByteSpan& span : work->sentences) {
      ScoredSentence sentence;
      sentence.span = span;
      out.sentences.push_back(std::move(sentence));
    }
    for (size_t s = 0; s < work->readings.size(); ++s) {
      const SentencePair& part = written.sentences[s];
      std::vector<ByteSpan> sentences = SplitSentences(
          std::string_view(written.text).substr(part.target.begin, part.target.size()),
          input_.language);
      for (ByteSpan& span : sentences) {
        span.begin += part.target.begin;
        span.end += part.target.begin;
      }
      for (SentenceSupport& support :
           FoldSupport(work->readings[s]->TakeAttention(), sentences, work->sentences))
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

  void Finish() {
    const absl::Time begin = absl::Now();
    SummarizeOutput output;
    output.model = model_.name;
    output.revision = model_.revision;
    for (Work& work : works_) {
      SummarizeOutcome outcome;
      outcome.status = work.status;
      if (work.status.ok()) outcome.summary = Assemble(&work);
      output.outcomes.push_back(std::move(outcome));
    }
    usage_.detokenize = absl::Now() - begin;
    output.usage = usage_;
    memory_.reset();
    End(std::move(output));
  }

  void End(absl::StatusOr<SummarizeOutput> output) {
    if (stream_ != nullptr) stream_->Close(/*deliver_rest=*/false);
    environment_.Report(usage_);
    auto done = std::move(done_);
    done(std::move(output));
  }

  const CallEnvironment environment_;
  TaskModel model_;  // with the options for summaries
  SummarizeInput input_;
  Done<SummarizeOutput> done_;
  GenerationOptions defaults_, options_;
  std::optional<SourceEncoder> encoder_;
  std::optional<ResolvedSelection> selection_;  // of what supports are made of
  std::vector<Work> works_;
  size_t num_cut_ = 0;  // of works_
  std::shared_ptr<DeltaStream> stream_;
  CallUsage usage_;
  std::shared_ptr<const void> memory_;  // that attention may take
};

}  // namespace

void RunAbstract(CallEnvironment environment, SummarizeInput input, Done<SummarizeOutput> done) {
  std::make_shared<AbstractCall>(std::move(environment), std::move(input), std::move(done))
      ->Start();
}

}  // namespace attend
