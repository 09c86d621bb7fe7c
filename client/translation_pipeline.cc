// One thread reads and prints, a few make calls. The window of unprinted batches is bounded, so a
// slow server stops the reading, and a slow reader of the output stops the calls. A batch goes out
// when it is full, or when the input pauses: lines typed by hand are answered at once. A batch that
// is too much for one call is sent in halves: a line is lost only when it fails alone.
#include "client/translation_pipeline.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "client/exit_code.h"
#include "client/line_reader.h"

namespace attend::client {
namespace {

using attend::v1::TranslateRequest;
using attend::v1::TranslateResponse;

// A few hundred sentences: a batch of long lines then ends within its deadline on a slow machine,
// and other callers get their turn.
constexpr std::size_t kMaxBatchBytes = 16 << 10;
constexpr int kInputPauseMs = 5;
constexpr int kRedrawMs = 250;

// What one call brought for some texts of a batch that follow each other.
struct Part {
  std::size_t num_texts = 0;
  TranslateResponse response;
  CallResult result;
};

struct Batch {
  std::vector<InputLine> lines;
  std::size_t num_bytes = 0;
  // In the order of the lines that were sent. Ends early after a failure that holds for every text.
  std::vector<Part> parts;
  std::atomic<bool> is_done{false};
};

// Texts of a batch, end excluded.
struct Range {
  std::size_t begin = 0, end = 0;
};

// A failure that fewer texts may not meet: they take less time, smaller messages and less of the
// queue, and a text that is at fault is found.
bool IsTooMuchAtOnce(const CallFailure& failure) {
  if (HoldsForEveryText(failure)) return false;
  const grpc::StatusCode code = failure.error.code;
  return code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         code == grpc::StatusCode::RESOURCE_EXHAUSTED || code == grpc::StatusCode::INVALID_ARGUMENT;
}

// Threads that make calls. Finished batches are announced through a descriptor that poll can wait
// for.
class Callers {
 public:
  Callers(Connection* connection, const attend::v1::TranslationConfig& config,
          std::size_t num_threads)
      : connection_(connection),
        config_(config),
        stub_(attend::v1::TranslationService::NewStub(connection->channel())),
        done_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    for (std::size_t i = 0; i < num_threads; ++i) threads_.emplace_back([this] { Run(); });
  }

  ~Callers() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    close(done_fd_);
  }

  void Submit(std::shared_ptr<Batch> batch) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      waiting_.push_back(std::move(batch));
    }
    work_.notify_one();
  }

  int done_fd() const { return done_fd_; }
  void ClearDone() const {
    uint64_t count;
    while (read(done_fd_, &count, sizeof count) > 0) {
    }
  }

 private:
  void Run() {
    for (;;) {
      std::shared_ptr<Batch> batch;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        work_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        batch = std::move(waiting_.front());
        waiting_.pop_front();
      }
      Call(batch.get());
      batch->is_done = true;
      const uint64_t one = 1;
      while (write(done_fd_, &one, sizeof one) < 0 && errno == EINTR) {
      }
    }
  }

  void Call(Batch* batch) {
    std::vector<const std::string*> texts;
    for (const InputLine& line : batch->lines) {
      if (line.problem.empty()) texts.push_back(&line.text);
    }
    if (texts.empty()) return;
    std::vector<Range> ranges = {{0, texts.size()}};  // still to send, the first texts last
    while (!ranges.empty()) {
      const Range range = ranges.back();
      ranges.pop_back();
      Part part = CallOnce(texts, range);
      if (part.result.has_value() && part.num_texts > 1 && IsTooMuchAtOnce(*part.result)) {
        const std::size_t middle = (range.begin + range.end) / 2;
        ranges.push_back({middle, range.end});
        ranges.push_back({range.begin, middle});
        TellSplit(part);
        continue;
      }
      const bool is_over = part.result.has_value() && HoldsForEveryText(*part.result);
      batch->parts.push_back(std::move(part));
      if (is_over) return;
    }
  }

  Part CallOnce(const std::vector<const std::string*>& texts, Range range) {
    TranslateRequest request;
    *request.mutable_config() = config_;
    for (std::size_t i = range.begin; i < range.end; ++i) request.add_texts(*texts[i]);
    Part part;
    part.num_texts = range.end - range.begin;
    part.result = connection_->CallUnary([&](grpc::ClientContext* context) {
      part.response.Clear();
      return stub_->Translate(context, request, &part.response);
    });
    return part;
  }

  void TellSplit(const Part& part) const {
    if (!connection_->options().is_verbose) return;
    std::fprintf(stderr, "attend: %s; sending these %zu texts in two calls\n",
                 FormatErrorLine(part.result->error).c_str(), part.num_texts);
  }

  Connection* connection_;
  const attend::v1::TranslationConfig& config_;
  std::unique_ptr<attend::v1::TranslationService::Stub> stub_;
  int done_fd_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<std::shared_ptr<Batch>> waiting_;  // guarded by mutex_
  bool stopping_ = false;                       // guarded by mutex_
  std::vector<std::thread> threads_;
};

class Pipeline {
 public:
  Pipeline(Session* session, const PipelineOptions& options, int input_fd, Output* output,
           ProgressBar* bar)
      : session_(session),
        options_(options),
        reader_(input_fd),
        output_(output),
        bar_(bar),
        callers_(&session->connection(), options.config, options.calls_in_flight) {}

  int Run() {
    while (!is_over_) {
      PrintFinished();
      if (is_over_) break;
      SubmitBatches();
      if (window_.empty() && reader_.at_end() && !reader_.has_line() && gathering_ == nullptr)
        break;
      Wait();
    }
    if (is_over_) {
      session_->interrupt().CancelCalls();
      bar_->Clear();
    } else {
      bar_->Finish(progress_);
    }
    if (!reader_.error().empty()) {
      session_->Tell("cannot read the input: " + reader_.error());
      return kExitUsage;
    }
    if (exit_code_ == kExitOk && progress_.lines_failed > 0) {
      session_->Tell(std::to_string(progress_.lines_failed) + " of " +
                     std::to_string(progress_.lines_done) + " lines failed");
      return kExitFailed;
    }
    return exit_code_;
  }

 private:
  bool has_room() const { return window_.size() < 2 * options_.calls_in_flight; }

  // Moves lines into batches; sends full ones, and a part-filled one when the input has ended.
  void SubmitBatches() {
    while (has_room() && reader_.has_line()) {
      if (gathering_ != nullptr &&
          gathering_->num_bytes + reader_.next_line_size() > kMaxBatchBytes) {
        SubmitGathered();
        continue;
      }
      if (gathering_ == nullptr) gathering_ = std::make_shared<Batch>();
      InputLine line = reader_.TakeLine();
      gathering_->num_bytes += line.text.size();
      gathering_->lines.push_back(std::move(line));
      if (gathering_->lines.size() >= options_.batch_lines) SubmitGathered();
    }
    if (reader_.at_end() && !reader_.has_line() && has_room()) SubmitGathered();
  }

  void SubmitGathered() {
    if (gathering_ == nullptr) return;
    window_.push_back(gathering_);
    callers_.Submit(std::move(gathering_));
    gathering_ = nullptr;
  }

  void Wait() {
    const bool may_read = !reader_.at_end() && !reader_.has_line() && has_room();
    pollfd wait[4] = {
        {session_->interrupt().fd(), POLLIN, 0},
        {callers_.done_fd(), POLLIN, 0},
        {may_read ? reader_.fd() : -1, POLLIN, 0},
        {output_->is_open() ? output_->fd() : -1, 0, 0}};  // wakes when the reader of a pipe leaves
    const bool is_part_filled = gathering_ != nullptr && has_room();
    const int timeout = is_part_filled ? kInputPauseMs : bar_->enabled() ? kRedrawMs : -1;
    const int num_ready = poll(wait, 4, timeout);
    if (session_->interrupt().raised()) return Stop(kExitInterrupted);
    if (num_ready > 0 && (wait[3].revents & POLLERR) != 0) return Stop(kExitOk);
    if (wait[1].revents != 0) callers_.ClearDone();
    if (wait[2].revents != 0) {
      reader_.ReadChunk();
    } else if (num_ready == 0 && is_part_filled) {
      SubmitGathered();
    }
    bar_->Update(progress_);
  }

  void Stop(int exit_code) {
    is_over_ = true;
    exit_code_ = exit_code;
  }

  void PrintFinished() {
    bool has_printed = false;
    while (!is_over_ && !window_.empty() && window_.front()->is_done) {
      const std::shared_ptr<Batch> batch = std::move(window_.front());
      window_.pop_front();
      PrintBatch(*batch);
      has_printed = true;
    }
    if (has_printed) {
      output_->Flush();
      bar_->Update(progress_);
    }
    if (!output_->is_open() && !is_over_) {
      Stop(output_->reader_left() ? kExitOk : kExitFailed);
    }
  }

  void PrintBatch(const Batch& batch) {
    auto part = batch.parts.begin();
    std::size_t next_text = 0;  // of the part
    for (const InputLine& line : batch.lines) {
      const PrintedItem item{line.number, line.text};
      if (!line.problem.empty()) {
        CallError error;
        error.code = grpc::StatusCode::INVALID_ARGUMENT;
        error.message = line.problem;
        PrintFailure(item, error, line.problem);
      } else {
        if (next_text == part->num_texts) {
          ++part;
          next_text = 0;
        }
        if (part->result.has_value() && HoldsForEveryText(*part->result))
          return StopAt(line, *part->result);
        PrintText(item, *part, next_text++);
      }
      ++progress_.lines_done;
      progress_.bytes_done = line.end_offset;
    }
  }

  void StopAt(const InputLine& line, const CallFailure& failure) {
    bar_->Clear();
    output_->Flush();
    if (failure.kind != CallFailure::Kind::kInterrupted && progress_.lines_done > 0)
      session_->Tell("stopped at line " + std::to_string(line.number));
    Stop(session_->Fail(failure));
  }

  void PrintText(const PrintedItem& item, const Part& part, std::size_t index) {
    if (part.result.has_value())
      return PrintFailure(item, part.result->error, FormatErrorLine(part.result->error));
    if (index >= static_cast<std::size_t>(part.response.outcomes_size())) {
      CallError error;
      error.code = grpc::StatusCode::INTERNAL;
      error.message = "the server answered fewer items than it was sent";
      return PrintFailure(item, error, FormatErrorLine(error));
    }
    const auto& outcome = part.response.outcomes(static_cast<int>(index));
    if (!outcome.has_translation()) {
      const CallError error = DecodeError(outcome.error());
      return PrintFailure(item, error, FormatErrorLine(error));
    }
    output_->Write(FormatTranslation(item, outcome.translation(),
                                     {part.response.usage(), part.num_texts}, options_.format,
                                     session_->terminal()));
  }

  void PrintFailure(const PrintedItem& item, const CallError& error, const std::string& message) {
    ++progress_.lines_failed;
    bar_->Clear();
    session_->Tell("line " + std::to_string(item.line) + ": " + message);
    output_->Write(FormatFailedItem(item, error, options_.format));
  }

  Session* session_;
  const PipelineOptions& options_;
  LineReader reader_;
  Output* output_;
  ProgressBar* bar_;
  Progress progress_{0, options_.input_bytes, 0, 0, 0};
  std::shared_ptr<Batch> gathering_;           // not sent yet
  std::deque<std::shared_ptr<Batch>> window_;  // sent and not printed yet, in input order
  bool is_over_ = false;
  int exit_code_ = kExitOk;
  Callers callers_;  // last: its threads end before the rest goes
};

}  // namespace

int RunTranslationPipeline(Session* session, const PipelineOptions& options, int input_fd,
                           Output* output, ProgressBar* bar) {
  // Reaching nobody is told before the first line is read.
  if (const CallResult unreachable = session->connection().EnsureReachable())
    return session->Fail(*unreachable);
  return Pipeline(session, options, input_fd, output, bar).Run();
}

}  // namespace attend::client
