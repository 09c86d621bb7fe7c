// Finish may come before gRPC has seen the reactor (the engine was quick); gRPC keeps it back until
// then.
#include "server/services/unary_call.h"

namespace attend::server {

void UnaryCall::Fail(const absl::Status& status) {
  if (ended_.exchange(true)) return;
  Finish(scope_.Finish(status));
}

void UnaryCall::Reply(const google::protobuf::MessageLite& response) {
  if (ended_.exchange(true)) return;
  const absl::Status status = RunGuarded(
      [&] { return SerializeMessage(response, scope_.parts().rpc->max_message_bytes, response_); });
  if (status.ok()) scope_.record().output_bytes = static_cast<int64_t>(response_->Length());
  Finish(scope_.Finish(status));
}

}  // namespace attend::server
