// A unary call in flight. The engine's callback ends it, on whatever thread that comes; it lives
// until gRPC has sent the answer and nobody holds it any more.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>

#include "absl/status/status.h"
#include "server/services/messages.h"
#include "server/services/rpc_scope.h"

namespace attend::server {

// Where a raw unary method's pieces are.
struct UnaryWires {
  RpcMethod method;
  grpc::CallbackServerContext* context;
  const grpc::ByteBuffer* request;
  grpc::ByteBuffer* response;
};

class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  // The call owns itself until OnDone; the pointer may be kept by whoever will answer.
  static std::shared_ptr<UnaryCall> Make(const UnaryWires& wires, const ServiceParts& parts);

  RpcScope& scope() { return scope_; }

  // Puts the response where gRPC takes it from; RESPONSE_TOO_LARGE above the limit. The call is not
  // over yet, so that what is counted can depend on it. Call at most once, before End.
  absl::Status Fill(const google::protobuf::MessageLite& response);
  // Ends the call; the first time counts, later ones do nothing.
  void End(const absl::Status& status);
  // Both.
  void Reply(const google::protobuf::MessageLite& response) { End(Fill(response)); }

 private:
  UnaryCall(const UnaryWires& wires, const ServiceParts& parts)
      : scope_(wires.method, wires.context, parts), response_(wires.response) {}
  void OnCancel() override;
  void OnDone() override;

  RpcScope scope_;
  grpc::ByteBuffer* const response_;
  std::shared_ptr<UnaryCall> self_;
  std::atomic<bool> ended_{false};
};

// Parses the request and hands it to `body(const Request&, const std::shared_ptr<UnaryCall>&)`,
// which returns a status: not OK ends the call with it; OK means that body has ended the call or
// has arranged for that.
template <typename Request, typename Body>
grpc::ServerUnaryReactor* StartUnary(const UnaryWires& wires, const ServiceParts& parts,
                                     Body&& body) {
  const std::shared_ptr<UnaryCall> call = UnaryCall::Make(wires, parts);
  const absl::Status status = RunGuarded([&]() -> absl::Status {
    if (absl::Status open = parts.gate->CheckOpen(); !open.ok()) return open;
    Request request;
    if (absl::Status parsed = ParseMessage(*wires.request, &request); !parsed.ok()) return parsed;
    return body(request, call);
  });
  if (!status.ok()) call->End(status);
  return call.get();
}

}  // namespace attend::server
