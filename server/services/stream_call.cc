// StartWrite and Finish are called without the mutex: gRPC may run the next callback before they
// return. Every entry from gRPC or the engine catches what is thrown below it.
#include "server/services/stream_call.h"

#include "absl/time/clock.h"

namespace attend::server {
namespace {

// A reader that takes less than this is as good as gone.
constexpr int64_t kLeastBytesPerSecond = 32 << 10;

}  // namespace

std::shared_ptr<StreamCall> StreamCall::Make(RpcMethod method, grpc::CallbackServerContext* context,
                                             const ServiceParts& parts) {
  std::shared_ptr<StreamCall> call(new StreamCall(method, context, parts));
  call->self_ = call;
  return call;
}

void StreamCall::Start(std::shared_ptr<StreamSource> source) {
  {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    source_ = std::move(source);
  }
  Pump();
}

// What to do now; fills buffer_ for kWrite. Called with the mutex held.
StreamCall::Action StreamCall::Decide(absl::Status* end) {
  if (writing_ || ended_ || source_ == nullptr) return Action::kNone;
  StreamSource::Next next = StreamSource::Next::kNothingYet;
  if (broken_.ok()) {
    std::unique_ptr<google::protobuf::MessageLite> message;
    const absl::Status status = RunGuarded([&]() -> absl::Status {
      next = source_->Take(&message, end);
      if (next != StreamSource::Next::kMessage) return absl::OkStatus();
      return SerializeMessage(*message, scope_.parts().rpc->max_message_bytes, &buffer_);
    });
    if (!status.ok()) Break(status);
  }
  if (!broken_.ok()) {
    if (!source_->engine_done()) return Action::kNone;  // it may still report what it did
    *end = broken_;
    next = StreamSource::Next::kEnd;
  }
  if (next == StreamSource::Next::kNothingYet) return Action::kNone;
  if (next == StreamSource::Next::kEnd) {
    ended_ = true;
    return Action::kEnd;
  }
  writing_ = true;
  const RpcOptions& rpc = *scope_.parts().rpc;
  const auto bytes = static_cast<int64_t>(buffer_.Length());
  write_due_ = std::chrono::steady_clock::now() +
               absl::ToChronoNanoseconds(rpc.slow_reader_timeout) +
               std::chrono::milliseconds(bytes * 1000 / kLeastBytesPerSecond);
  scope_.record().output_bytes += bytes;
  return Action::kWrite;
}

void StreamCall::Pump() {
  absl::Status end;
  Action action;
  {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    action = Decide(&end);
  }
  if (action == Action::kWrite) StartWrite(&buffer_);
  if (action == Action::kEnd) {
    const absl::Status counted = RunGuarded([&]() -> absl::Status {
      source_->Ending(end);
      return absl::OkStatus();
    });
    Finish(scope_.Finish(counted.ok() ? end : counted));
  }
}

void StreamCall::Fail(const absl::Status& status) {
  {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    if (ended_) return;
    ended_ = true;
  }
  Finish(scope_.Finish(status));
}

void StreamCall::Break(const absl::Status& status) {
  {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    if (!broken_.ok()) return;
    broken_ = status;
  }
  OnCancel();  // the engine may still be at it
}

void StreamCall::OnCancel() {
  // Nothing to tell anybody if this fails: the engine finds out at the deadline.
  (void)RunGuarded([this]() -> absl::Status {
    scope_.Cancel();
    return absl::OkStatus();
  });
}

void StreamCall::OnWriteDone(bool ok) {
  {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    writing_ = false;
  }
  Feed([&] {
    if (ok) return;
    const bool late = scope_.call_context().deadline <= absl::Now();
    Break(late ? absl::DeadlineExceededError("the deadline passed while the answer was sent")
               : absl::CancelledError("the client went away"));
  });
}

void StreamCall::CancelIfStalled(std::chrono::steady_clock::time_point now) {
  const std::lock_guard<std::recursive_mutex> lock(mutex_);
  // While a write is pending gRPC keeps the call, so the context is alive.
  if (!writing_ || !broken_.ok() || write_due_ > now) return;
  scope_.parts().metrics->SlowReader(scope_.method());
  Break(absl::CancelledError("the client stopped reading"));
  context_->TryCancel();
}

void StreamCall::OnDone() { const std::shared_ptr<StreamCall> last = std::move(self_); }

}  // namespace attend::server
