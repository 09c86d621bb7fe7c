// Finish may come before gRPC has seen the reactor (the engine was quick); gRPC keeps it back until
// then.
#include "server/services/unary_call.h"

namespace attend::server {

std::shared_ptr<UnaryCall> UnaryCall::Make(const UnaryWires& wires, const ServiceParts& parts) {
  std::shared_ptr<UnaryCall> call(new UnaryCall(wires, parts));
  call->self_ = call;
  return call;
}

absl::Status UnaryCall::Fill(const google::protobuf::MessageLite& response) {
  if (ended_) return absl::OkStatus();
  return RunGuarded([&]() -> absl::Status {
    const absl::Status status =
        SerializeMessage(response, scope_.parts().rpc->max_message_bytes, response_);
    if (status.ok()) scope_.record().output_bytes = static_cast<int64_t>(response_->Length());
    return status;
  });
}

void UnaryCall::End(const absl::Status& status) {
  if (ended_.exchange(true)) return;
  Finish(scope_.Finish(status));
}

void UnaryCall::OnCancel() {
  // Nothing to tell anybody if this fails: the engine finds out at the deadline.
  (void)RunGuarded([this]() -> absl::Status {
    scope_.Cancel();
    return absl::OkStatus();
  });
}

void UnaryCall::OnDone() { const std::shared_ptr<UnaryCall> last = std::move(self_); }

}  // namespace attend::server
