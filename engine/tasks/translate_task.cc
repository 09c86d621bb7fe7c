// Two groups of requests: the searches, then, when words or attention are asked for, one forced
// pass per sentence over the source and the final ids of the best hypothesis. So attention is right
// under beam search too, and sequences that nobody looks at never leave the fast path.
#include "engine/tasks/translate_task.h"

#include <algorithm>
#include <optional>
#include <utility>

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
#include "engine/tasks/translation_parts.h"

namespace attend {
namespace {

constexpr char kAttentionField[] = "config.attention";

class TranslateCall : public std::enable_shared_from_this<TranslateCall> {
 public:
  TranslateCall(CallEnvironment environment, TranslateInput input, Done<TranslateOutput> done)
      : environment_(std::move(environment)),
        model_(environment_.model),
        input_(std::move(input)),
        done_(std::move(done)) {}

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
  bool needs_reading() const { return input_.include_word_links || selection_.has_value(); }

  // Everything that is wrong with the call as a whole is found here; what is wrong with a text
  // stays with it.
  absl::Status Prepare() {
    ATTEND_RETURN_IF_ERROR(CheckStillWanted(environment_));
    ATTEND_RETURN_IF_ERROR(CheckCapability(model_, ModelCapability::kTranslation));
    ATTEND_RETURN_IF_ERROR(CheckCount());
    ATTEND_ASSIGN_OR_RETURN(
        route_, model_.languages->Route({input_.source_language, input_.target_language},
                                        model_.name, "config."));
    encoder_.emplace(model_.tokenizer, route_.source);
    ATTEND_ASSIGN_OR_RETURN(
        options_, PrepareOptions(model_, environment_.limits, input_.decoding,
                                 {input_.target_prefix, route_.target}, "config.decoding"));
    if (input_.attention) {
      ATTEND_ASSIGN_OR_RETURN(selection_, ResolveSelection(*input_.attention, *model_.spec,
                                                           *model_.presets, kAttentionField));
    }
    works_.resize(input_.texts.size());
    return absl::OkStatus();
  }

  // Prepares the next text; after the last, or when nobody waits any more, the call goes on.
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

  absl::Status CheckCount() const {
    if (input_.texts.empty())
      return InvalidField("NO_ITEMS", "texts", "there is no text to translate");
    const size_t limit = input_.on_delta ? 1 : static_cast<size_t>(environment_.limits.max_texts);
    if (input_.texts.size() <= limit) return absl::OkStatus();
    return TooManyTexts(static_cast<int64_t>(input_.texts.size()), static_cast<int64_t>(limit));
  }

  absl::Status Cut(size_t index) {
    const std::string& text = input_.texts[index];
    const std::string field =
        input_.on_delta ? std::string("text") : absl::StrCat("texts[", index, "]");
    TextWork& work = works_[index];
    ATTEND_RETURN_IF_ERROR(CheckText(text, environment_.limits, field));
    SegmentOptions options;
    options.language = input_.source_language.empty() ? route_.pair.source : input_.source_language;
    options.max_tokens = model_.max_input_tokens;
    options.overflow = input_.overflow;
    options.max_segments = environment_.limits.max_segments;
    ATTEND_ASSIGN_OR_RETURN(work.segments, CutIntoSegments(text, *encoder_, options, field));
    work.layout = Layout(text, work.segments);
    for (TextSegment& segment : work.segments) {
      ATTEND_RETURN_IF_ERROR(
          CheckVocabulary(segment.encoded.ids(), model_.spec->source_vocab_size, model_));
    }
    return absl::OkStatus();
  }

  void Generate() {
    if (input_.on_delta) OpenStream();
    RequestGroup group;
    for (size_t i = 0; i < works_.size(); ++i) {
      TextWork& work = works_[i];
      if (!work.status.ok()) continue;
      for (size_t s = 0; s < work.segments.size(); ++s) {
        auto request = std::make_shared<GenerationRequest>();
        request->source_ids = work.segments[s].encoded.ids();
        request->options = OptionsOfSegment(
            options_, input_.decoding, static_cast<int64_t>(request->source_ids.size()), {i, s});
        if (!needs_reading())
          work.segments[s].encoded = EncodedText();  // pieces and spans are not needed any more
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
    for (TextWork& work : works_) {
      if (!work.status.ok()) continue;
      for (size_t s = 0; s < work.segments.size(); ++s) {
        GenerationResult& result = results[next++];
        if (!result.status.ok() && work.status.ok()) work.status = result.status;
        work.results.push_back(std::move(result));
      }
    }
    if (stream_ != nullptr) stream_->Close(works_[0].status.ok());
    if (needs_reading()) {
      Read();
    } else {
      Finish();
    }
  }

  // The forced passes of all texts. Bytes of weights are counted before any is computed, texts in
  // their order.
  void Read() {
    const AttentionPreset* alignment = FindPreset(*model_.presets, kAlignmentPreset);
    int64_t bytes = 0, memory = 0;
    RequestGroup group;
    group.patience = GroupPatience::kPersist;
    for (size_t i = 0; i < works_.size(); ++i) {
      TextWork& work = works_[i];
      if (!work.status.ok()) continue;
      MakeReadings(input_.texts[i], &work);
      if (selection_) {
        const int64_t need = bytes + BytesOf(work);
        work.status =
            CheckAnswerBytes(need, environment_.limits.max_attention_bytes, kAttentionField);
        if (!work.status.ok()) continue;
        bytes = need;
        for (const auto& reading : work.readings) memory += reading->FoldBytes(*selection_);
      }
      for (auto& reading : work.readings) {
        if (selection_) reading->WatchSelection(*selection_);
        if (input_.include_word_links) reading->WatchAlignment(*alignment, *model_.spec);
        group.requests.push_back(reading->MakeRequest(model_));
      }
    }
    auto lease = environment_.attention_memory->Take(bytes + memory);
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

  void MakeReadings(const std::string& text, TextWork* work) {
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

  void OnRead(absl::Status status, const std::vector<GenerationResult>& results) {
    AddUsage(results, /*forced=*/true, &usage_);
    if (!status.ok()) {
      End(status);
      return;
    }
    size_t next = 0;
    for (TextWork& work : works_) {
      if (!work.status.ok()) continue;
      for (size_t s = 0; s < work.segments.size(); ++s) {
        const absl::Status& pass = results[next++].status;
        if (!pass.ok() && work.status.ok()) work.status = pass;
      }
    }
    Finish();
  }

  void Finish() {
    const absl::Time begin = absl::Now();
    TranslateOutput output;
    output.model = model_.name;
    output.revision = model_.revision;
    TranslationShape shape;
    shape.include_tokens = input_.include_tokens;
    shape.include_word_links = input_.include_word_links;
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
    output.memory = std::move(memory_);
    End(std::move(output));
  }

  void End(absl::StatusOr<TranslateOutput> output) {
    if (stream_ != nullptr) stream_->Close(/*deliver_rest=*/false);
    environment_.Report(usage_);
    auto done = std::move(done_);
    done(std::move(output));
  }

  const CallEnvironment environment_;
  const TaskModel& model_;
  TranslateInput input_;
  Done<TranslateOutput> done_;
  TranslationRoute route_;
  std::optional<SourceEncoder> encoder_;
  GenerationOptions options_;
  std::optional<ResolvedSelection> selection_;
  std::vector<TextWork> works_;
  size_t num_cut_ = 0;  // of works_
  std::shared_ptr<DeltaStream> stream_;
  CallUsage usage_;
  std::shared_ptr<const void> memory_;  // that attention may take
};

}  // namespace

void RunTranslate(CallEnvironment environment, TranslateInput input, Done<TranslateOutput> done) {
  std::make_shared<TranslateCall>(std::move(environment), std::move(input), std::move(done))
      ->Start();
}

}  // namespace attend
