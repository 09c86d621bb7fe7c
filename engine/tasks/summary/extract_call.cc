// One group of encoder passes for all texts of the call; everything before it and after it is
// arithmetic on the sentences' words.
#include "engine/tasks/summary/extract_call.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/call_checks.h"
#include "engine/tasks/preparation.h"
#include "engine/tasks/request_group.h"
#include "engine/tasks/summary/encoder_reading.h"
#include "engine/tasks/summary/extract_text.h"
#include "engine/tasks/summary/sentence_scores.h"
#include "engine/tasks/summary/summary_checks.h"
#include "engine/tasks/summary/text_kind.h"
#include "engine/text/sentence_splitter.h"

namespace attend {
namespace {

constexpr char kAttentionField[] = "config.include_sentence_attention";
// Longer windows are no better, and attention over them costs more.
constexpr int64_t kWindowTokens = 256;

// One text. Spans are the caller's; everything else is by sentence.
struct ExtractWork {
  absl::Status status;
  std::vector<ByteSpan> sentences;
  SentenceSignals signals;
  std::optional<SentenceTerms> vectors;
  TextKind kind = TextKind::kGeneral;
  std::unique_ptr<EncoderReading> reading;  // null: nothing is asked of the encoder
  std::vector<SequenceStats> stats;         // of its passes
};

class ExtractCall : public std::enable_shared_from_this<ExtractCall> {
 public:
  ExtractCall(CallEnvironment environment, SummarizeInput input, Done<SummarizeOutput> done)
      : environment_(std::move(environment)),
        model_(environment_.model),
        input_(std::move(input)),
        done_(std::move(done)),
        encoder_(model_.tokenizer, FrameOf(model_, input_.language)) {}

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
  static SourceFrame FrameOf(const TaskModel& model, const std::string& language) {
    SourceFrame frame;
    frame.language = model.languages->Find(language);
    return frame;
  }

  absl::Status Prepare() {
    ATTEND_RETURN_IF_ERROR(CheckStillWanted(environment_));
    ATTEND_RETURN_IF_ERROR(
        CheckCount(input_.texts.size(), input_.on_delta != nullptr, environment_.limits));
    ATTEND_RETURN_IF_ERROR(CheckExtraction(input_));
    if (!model_.languages->languages().empty())
      ATTEND_RETURN_IF_ERROR(model_.languages->CheckServes({input_.language, ""}, model_.name));
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
    Read();
    return false;
  }

  absl::Status Cut(size_t index) {
    const std::string& text = input_.texts[index];
    const std::string field =
        input_.on_delta ? std::string("text") : absl::StrCat("texts[", index, "]");
    ExtractWork& work = works_[index];
    ATTEND_RETURN_IF_ERROR(CheckDocument(text, environment_.limits, field));
    work.sentences = SplitSentences(text, SplitOptions{input_.language, LineBreaks::kByLayout});
    const int limit = environment_.limits.max_document_sentences;
    if (static_cast<int64_t>(work.sentences.size()) > limit) {
      return InputTooLong(field, "sentences", static_cast<int64_t>(work.sentences.size()), limit);
    }
    for (const ByteSpan& span : work.sentences) {
      work.signals.terms.push_back(TermsOf(std::string_view(text).substr(span.begin, span.size())));
    }
    work.vectors.emplace(work.signals.terms);
    work.kind = input_.text_kind != TextKind::kAuto
                    ? input_.text_kind
                    : GuessTextKind(work.signals.terms, *work.vectors);
    return MakeReading(text, &work);
  }

  absl::Status MakeReading(const std::string& text, ExtractWork* work) {
    EncoderReadingOptions options;
    options.embeddings = model_.spec->Has(ModelCapability::kEmbedding);
    // Reviews do not look at it.
    options.attention = input_.include_sentence_attention ||
                        (options.embeddings && work->kind != TextKind::kReviews);
    if ((!options.embeddings && !options.attention) || work->sentences.empty())
      return absl::OkStatus();
    std::vector<SentenceWindow> windows = PackSentences(
        text, work->sentences, encoder_, std::min(kWindowTokens, model_.max_input_tokens));
    for (const SentenceWindow& each : windows)
      ATTEND_RETURN_IF_ERROR(CheckVocabulary(each.ids, model_.spec->source_vocab_size, model_));
    if (input_.include_sentence_attention) ATTEND_RETURN_IF_ERROR(CheckAnswer(windows));
    work->reading = std::make_unique<EncoderReading>(
        std::move(windows), static_cast<int>(work->sentences.size()), *model_.spec, options);
    return absl::OkStatus();
  }

  // A weight and its column for every two sentences of a window.
  absl::Status CheckAnswer(const std::vector<SentenceWindow>& windows) const {
    int64_t need = 0;
    for (const SentenceWindow& window : windows)
      need += static_cast<int64_t>(window.parts.size() * window.parts.size() * 8);
    const int64_t limit = environment_.limits.max_attention_bytes;
    if (need <= limit) return absl::OkStatus();
    ErrorDetail detail;
    detail.reason = "ATTENTION_TOO_LARGE";
    detail.field = kAttentionField;
    detail.metadata = {{"need", absl::StrCat(need)}, {"limit", absl::StrCat(limit)}};
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("the attention between the sentences takes up to ", need,
                                  " bytes; at most ", limit, " are sent"),
                     std::move(detail));
  }

  void Read() {
    RequestGroup group;
    int64_t bytes = 0;
    for (ExtractWork& work : works_) {
      if (!work.status.ok() || work.reading == nullptr) continue;
      bytes += work.reading->bytes();
      for (auto& request : work.reading->MakeRequests(model_))
        group.requests.push_back(std::move(request));
    }
    auto lease = environment_.attention_memory->Take(bytes);
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

  void OnRead(absl::Status status, const std::vector<GenerationResult>& results) {
    AddUsage(results, /*forced=*/false, &usage_);
    if (!status.ok()) {
      End(status);
      return;
    }
    size_t next = 0;
    for (ExtractWork& work : works_) {
      if (!work.status.ok() || work.reading == nullptr) continue;
      for (size_t w = 0; w < work.reading->num_windows(); ++w) {
        const GenerationResult& result = results[next++];
        if (!result.status.ok() && work.status.ok()) work.status = result.status;
        work.stats.push_back(result.stats);
      }
    }
    Finish();
  }

  Summary Summarise(size_t index) {
    ExtractWork& work = works_[index];
    work.signals.vectors = &*work.vectors;
    if (work.reading != nullptr && model_.spec->Has(ModelCapability::kEmbedding))
      work.signals.encoder = work.reading->Signals();
    SentenceScores scores = ScoreSentences(work.signals, work.kind);
    std::vector<int64_t> lengths;
    if (input_.budget.characters) {
      for (const ByteSpan& span : work.sentences)
        lengths.push_back(CountCharacters(input_.texts[index], span));
    }
    const std::vector<size_t> order = SelectSentences(
        scores, *work.vectors, input_.redundancy_penalty.value_or(scores.redundancy), input_.budget,
        lengths);
    Summary out;
    out.sentences = MarkSentences(work.sentences, std::move(scores), order);
    out.text = ExtractText(input_.texts[index], out.sentences);
    out.text_kind = work.kind;
    if (input_.include_sentence_attention && work.reading != nullptr)
      out.sentence_attention = work.reading->Attention();
    for (const SequenceStats& stats : work.stats)
      out.duration = std::max(out.duration, stats.queue + stats.encode);
    if (work.reading != nullptr) {
      out.input_tokens = work.reading->num_tokens();
      out.num_segments = static_cast<int>(work.reading->num_windows());
    }
    return out;
  }

  void Finish() {
    const absl::Time begin = absl::Now();
    SummarizeOutput output;
    output.model = model_.name;
    output.revision = model_.revision;
    for (size_t i = 0; i < works_.size(); ++i) {
      SummarizeOutcome outcome;
      outcome.status = works_[i].status;
      if (outcome.status.ok()) outcome.summary = Summarise(i);
      works_[i] = ExtractWork();
      output.outcomes.push_back(std::move(outcome));
    }
    usage_.attention = absl::Now() - begin;
    output.usage = usage_;
    output.memory = std::move(memory_);
    End(std::move(output));
  }

  void End(absl::StatusOr<SummarizeOutput> output) {
    environment_.Report(usage_);
    auto done = std::move(done_);
    done(std::move(output));
  }

  const CallEnvironment environment_;
  const TaskModel& model_;
  SummarizeInput input_;
  Done<SummarizeOutput> done_;
  const SourceEncoder encoder_;
  std::vector<ExtractWork> works_;
  size_t num_cut_ = 0;  // of works_
  CallUsage usage_;
  std::shared_ptr<const void> memory_;
};

}  // namespace

void RunExtract(CallEnvironment environment, SummarizeInput input, Done<SummarizeOutput> done) {
  std::make_shared<ExtractCall>(std::move(environment), std::move(input), std::move(done))->Start();
}

}  // namespace attend
