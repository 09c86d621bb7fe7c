// StartWrite and Finish are called without the mutex: gRPC may run the next callback before they
// return.
#include "server/services/stream_call.h"

#include "server/services/stall_watch.h"

namespace attend::server {

std::shared_ptr<StreamCall> StreamCall::Make(RpcMethod method, grpc::CallbackServerContext* context,
                                             const ServiceParts& parts) {
  std::shared_ptr<StreamCall> call(new StreamCall(method, context, parts));
  call->self_ = call;
  parts.stalls->Add(call);
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
  StreamSource::Next next = StreamSource::Next::kEnd;
  if (broken_) {
    if (!source_->engine_done()) return Action::kNone;
    *end = absl::CancelledError("the client went away or stopped reading");
  } else {
    std::unique_ptr<google::protobuf::MessageLite> message;
    const absl::Status status = RunGuarded([&]() -> absl::Status {
      next = source_->Take(&message, end);
      if (next != StreamSource::Next::kMessage) return absl::OkStatus();
      return SerializeMessage(*message, scope_.parts().rpc->max_message_bytes, &buffer_);
    });
    if (!status.ok()) {
      next = StreamSource::Next::kEnd;
      *end = status;
      scope_.Cancel();  // the engine may still be at it
    }
  }
  if (next == StreamSource::Next::kNothingYet) return Action::kNone;
  if (next == StreamSource::Next::kEnd) {
    ended_ = true;
    return Action::kEnd;
  }
  writing_ = true;
  write_start_ = std::chrono::steady_clock::now();
  scope_.record().output_bytes += static_cast<int64_t>(buffer_.Length());
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
  if (action == Action::kEnd) Finish(scope_.Finish(end));
}

void StreamCall::Fail(const absl::Status& status) {
  {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    if (ended_) return;
    ended_ = true;
  }
  Finish(scope_.Finish(status));
}

void StreamCall::OnWriteDone(bool ok) {
  {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    writing_ = false;
    if (!ok) broken_ = true;
  }
  if (!ok) scope_.Cancel();
  Pump();
}

void StreamCall::CancelIfStalledSince(std::chrono::steady_clock::time_point limit) {
  const std::lock_guard<std::recursive_mutex> lock(mutex_);
  // While a write is pending gRPC keeps the call, so the context is alive.
  if (!writing_ || broken_ || write_start_ > limit) return;
  broken_ = true;
  scope_.parts().metrics->SlowReader(scope_.method());
  scope_.Cancel();
  context_->TryCancel();
}

void StreamCall::OnDone() { const std::shared_ptr<StreamCall> last = std::move(self_); }

}  // namespace attend::server
