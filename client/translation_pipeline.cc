// One thread reads and prints, a few make calls. The window of unprinted batches is bounded, so a
// slow server stops the reading, and a slow reader of the output stops the calls. A batch goes out
// when it is full, or when the input pauses: lines typed by hand are answered at once.
#include "client/translation_pipeline.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
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

constexpr std::size_t kMaxBatchBytes = 1 << 20;  // well below the server's message limit
constexpr int kInputPauseMs = 5;
constexpr int kRedrawMs = 250;

struct Batch {
  std::vector<InputLine> lines;
  std::size_t num_bytes = 0;
  TranslateResponse response;
  CallResult result;
  std::atomic<bool> is_done{false};
};

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
    TranslateRequest request;
    *request.mutable_config() = config_;
    for (const InputLine& line : batch->lines) {
      if (line.problem.empty()) request.add_texts(line.text);
    }
    if (request.texts_size() == 0) return;
    batch->result = connection_->CallUnary([&](grpc::ClientContext* context) {
      batch->response.Clear();
      return stub_->Translate(context, request, &batch->response);
    });
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

// A refusal that the next batch would meet as well.
bool HoldsForEveryLine(const CallFailure& failure) {
  if (failure.kind != CallFailure::Kind::kRefused) return true;
  switch (failure.error.code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::UNAVAILABLE:
      return true;
    case grpc::StatusCode::OK:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::DATA_LOSS:
    case grpc::StatusCode::DO_NOT_USE:
      return false;
  }
  return false;
}

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
      if (gathering_ == nullptr) gathering_ = std::make_shared<Batch>();
      InputLine line = reader_.TakeLine();
      gathering_->num_bytes += line.text.size();
      gathering_->lines.push_back(std::move(line));
      if (gathering_->lines.size() >= options_.batch_lines ||
          gathering_->num_bytes >= kMaxBatchBytes)
        SubmitGathered();
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
    if (batch.result.has_value() && HoldsForEveryLine(*batch.result)) {
      bar_->Clear();
      output_->Flush();
      if (batch.result->kind != CallFailure::Kind::kInterrupted && progress_.lines_done > 0) {
        session_->Tell("stopped at line " + std::to_string(batch.lines.front().number));
      }
      return Stop(session_->Fail(*batch.result));
    }
    int next_outcome = 0;
    for (const InputLine& line : batch.lines) {
      const PrintedItem item{line.number, line.text};
      ++progress_.lines_done;
      progress_.bytes_done = line.end_offset;
      if (!line.problem.empty()) {
        CallError error;
        error.code = grpc::StatusCode::INVALID_ARGUMENT;
        error.message = line.problem;
        PrintFailure(item, error, line.problem);
      } else if (batch.result.has_value()) {
        PrintFailure(item, batch.result->error, FormatErrorLine(batch.result->error));
      } else if (next_outcome < batch.response.outcomes_size()) {
        PrintOutcome(item, batch.response.outcomes(next_outcome++), batch.response.usage());
      } else {
        CallError error;
        error.code = grpc::StatusCode::INTERNAL;
        error.message = "the server answered fewer items than it was sent";
        PrintFailure(item, error, FormatErrorLine(error));
      }
    }
  }

  void PrintOutcome(const PrintedItem& item, const attend::v1::TranslateOutcome& outcome,
                    const attend::v1::Usage& usage) {
    if (outcome.has_translation()) {
      output_->Write(FormatTranslation(item, outcome.translation(), usage, options_.format,
                                       session_->terminal()));
      return;
    }
    const CallError error = DecodeError(outcome.error());
    PrintFailure(item, error, FormatErrorLine(error));
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
