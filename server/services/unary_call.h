// A unary call in flight. The engine's callback ends it, on whatever thread that comes; gRPC
// deletes it when the client has its answer.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>

#include "absl/status/status.h"
#include "server/services/messages.h"
#include "server/services/rpc_scope.h"

namespace attend::server {

class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  UnaryCall(RpcMethod method, grpc::CallbackServerContext* context, grpc::ByteBuffer* response,
            const ServiceParts& parts)
      : scope_(method, context, parts), response_(response) {}

  RpcScope& scope() { return scope_; }

  // Ends the call; the first of these counts, later ones do nothing.
  void Fail(const absl::Status& status);
  void Reply(const google::protobuf::MessageLite& response);

 private:
  void OnCancel() override { scope_.Cancel(); }
  void OnDone() override { delete this; }

  RpcScope scope_;
  grpc::ByteBuffer* const response_;
  std::atomic<bool> ended_{false};
};

// Where a raw unary method's pieces are.
struct UnaryWires {
  RpcMethod method;
  grpc::CallbackServerContext* context;
  const grpc::ByteBuffer* request;
  grpc::ByteBuffer* response;
};

// Parses the request and hands it to `body(const Request&, UnaryCall*)`, which returns a status:
// not OK ends the call with it; OK means that body has ended the call or has arranged for that.
template <typename Request, typename Body>
grpc::ServerUnaryReactor* StartUnary(const UnaryWires& wires, const ServiceParts& parts,
                                     Body&& body) {
  auto* call = new UnaryCall(wires.method, wires.context, wires.response, parts);
  const absl::Status status = RunGuarded([&]() -> absl::Status {
    Request request;
    if (absl::Status parsed = ParseMessage(*wires.request, &request); !parsed.ok()) return parsed;
    return body(request, call);
  });
  if (!status.ok()) call->Fail(status);
  return call;
}

}  // namespace attend::server
