// Two groups of requests: the searches, then the forced passes over the source and the final ids.
#include "engine/tasks/writing_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/tasks/call_checks.h"
#include "engine/tasks/preparation.h"
#include "engine/tasks/request_group.h"

namespace attend {

void WritingCall::Start() {
  size_t bytes = 0;
  for (const std::string& text : input_.texts) bytes += text.size();
  const absl::Status prepared = Prepare();
  if (!prepared.ok()) {
    End(prepared);
    return;
  }
  works_.resize(input_.texts.size());
  PrepareInSteps(environment_, bytes, [self = shared_from_this()] { return self->CutNext(); });
}

// Prepares the next text; after the last, or when nobody waits any more, the call goes on.
bool WritingCall::CutNext() {
  const absl::Status wanted = CheckStillWanted(environment_);
  if (!wanted.ok()) {
    End(wanted);
    return false;
  }
  const absl::Time begin = absl::Now();
  const std::string field =
      input_.on_delta ? std::string("text") : absl::StrCat("texts[", num_cut_, "]");
  works_[num_cut_].status = Cut(num_cut_, field, &works_[num_cut_]);
  usage_.tokenize += absl::Now() - begin;
  if (++num_cut_ < works_.size()) return true;
  Generate();
  return false;
}

void WritingCall::Generate() {
  if (input_.on_delta) OpenStream();
  RequestGroup group;
  for (size_t i = 0; i < works_.size(); ++i) {
    TextWork& work = works_[i];
    if (!work.status.ok()) continue;
    for (size_t s = 0; s < work.segments.size(); ++s) {
      auto request = std::make_shared<GenerationRequest>();
      request->source_ids = work.segments[s].encoded.ids();
      request->options = OptionsOfSegment(options_, input_.decoding,
                                          static_cast<int64_t>(request->source_ids.size()), {i, s});
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
  group.on_finished = [self = shared_from_this()](const absl::Status& status,
                                                  std::vector<GenerationResult> results) {
    self->OnGenerated(status, std::move(results));
  };
  RunGroup(environment_, std::move(group));
}

void WritingCall::OpenStream() {
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

void WritingCall::OnGenerated(const absl::Status& status, std::vector<GenerationResult> results) {
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
    Finish(nullptr);
  }
}

// Bytes of weights are counted before any is computed, texts in their order.
void WritingCall::Read() {
  int64_t bytes = 0;
  RequestGroup group;
  group.patience = GroupPatience::kPersist;
  for (size_t i = 0; i < works_.size(); ++i) {
    TextWork& work = works_[i];
    if (!work.status.ok()) continue;
    MakeReadings(input_.texts[i], &work);
    const absl::StatusOr<int64_t> watched = Watch(&work);
    work.status = watched.status();
    if (!watched.ok()) continue;
    bytes += *watched;
    for (auto& reading : work.readings) group.requests.push_back(reading->MakeRequest(model_));
  }
  auto lease = environment_.attention_memory->Take(bytes);
  if (!lease.ok() && reading_is_optional()) {
    for (TextWork& work : works_) work.readings.clear();
    Finish(nullptr);
    return;
  }
  if (!lease.ok()) {
    End(lease.status());
    return;
  }
  memory_ = *std::move(lease);
  group.on_finished = [self = shared_from_this()](const absl::Status& status,
                                                  const std::vector<GenerationResult>& results) {
    self->OnRead(status, results);
  };
  RunGroup(environment_, std::move(group));
}

void WritingCall::MakeReadings(const std::string& text, TextWork* work) const {
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

void WritingCall::OnRead(const absl::Status& status, const std::vector<GenerationResult>& results) {
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
  Finish(std::move(memory_));
}

void WritingCall::Close() {
  if (stream_ != nullptr) stream_->Close(/*deliver_rest=*/false);
  environment_.Report(usage_);
}

void WritingCall::End(const absl::Status& status) {
  Close();
  Fail(status);
}

}  // namespace attend
