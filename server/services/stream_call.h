// A server-streaming call in flight: pulls messages from its source one at a time, so that what
// waits for a slow reader waits in the source, in its compact form. A reader that stops taking is
// cancelled (StallWatch): a message may be under way for RpcOptions::slow_reader_timeout, and for
// a second more with each 32 KiB of it, so a slow line is not taken for a dead one.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "server/services/messages.h"
#include "server/services/rpc_scope.h"
#include "server/services/stall_watch.h"

namespace attend::server {

// What a stream sends. Take is never called by two threads at once; the others may be.
class StreamSource {
 public:
  enum class Next { kMessage, kNothingYet, kEnd };
  virtual ~StreamSource() = default;
  // kMessage: *message is to be sent. kEnd: *status ends the stream.
  virtual Next Take(std::unique_ptr<google::protobuf::MessageLite>* message,
                    absl::Status* status) = 0;
  // Whether the engine is done with the call, so that it may end.
  virtual bool engine_done() const = 0;
  // The stream is about to end with this status: what was sent, or was not, can be counted. Called
  // once, when the engine is done.
  virtual void Ending(const absl::Status& status) = 0;
};

class StreamCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  // The call owns itself until OnDone; the pointer may be kept by whoever feeds the source.
  static std::shared_ptr<StreamCall> Make(RpcMethod method, grpc::CallbackServerContext* context,
                                          const ServiceParts& parts);

  RpcScope& scope() { return scope_; }
  // Sets the source and sends what it has.
  void Start(std::shared_ptr<StreamSource> source);
  // For the engine's callbacks: `body` feeds the source, then what it has is sent. An exception of
  // body ends the call once the engine is done with it.
  template <typename Body>
  void Feed(Body&& body) {
    const absl::Status fed = RunGuarded([&]() -> absl::Status {
      body();
      return absl::OkStatus();
    });
    if (!fed.ok()) Break(fed);
    Pump();
  }
  // Ends a call whose source was never started.
  void Fail(const absl::Status& status);

  // Cancels the call if the message being written should have been taken before `now`.
  void CancelIfStalled(std::chrono::steady_clock::time_point now);

 private:
  StreamCall(RpcMethod method, grpc::CallbackServerContext* context, const ServiceParts& parts)
      : scope_(method, context, parts), context_(context) {}
  enum class Action { kNone, kWrite, kEnd };
  Action Decide(absl::Status* end);
  void Pump();
  // Nothing more is sent; the call ends with `status` when the engine has let go of it.
  void Break(const absl::Status& status);
  void OnCancel() override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

  RpcScope scope_;
  grpc::CallbackServerContext* const context_;
  std::shared_ptr<StreamCall> self_;
  // Recursive: cancelling may run OnWriteDone and OnDone on the same thread before it returns.
  std::recursive_mutex mutex_;
  std::shared_ptr<StreamSource> source_;
  grpc::ByteBuffer buffer_;  // the message being written
  bool writing_ = false, ended_ = false;
  absl::Status broken_;  // why nothing more is sent
  std::chrono::steady_clock::time_point write_due_;
};

// Parses the request and hands it to `body(const Request&, std::shared_ptr<StreamCall>)`; as
// StartUnary.
template <typename Request, typename Body>
grpc::ServerWriteReactor<grpc::ByteBuffer>* StartStream(RpcMethod method,
                                                        grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* bytes,
                                                        const ServiceParts& parts, Body&& body) {
  const std::shared_ptr<StreamCall> call = StreamCall::Make(method, context, parts);
  const absl::Status status = RunGuarded([&]() -> absl::Status {
    parts.stalls->Add(call);
    if (absl::Status open = parts.gate->CheckOpen(); !open.ok()) return open;
    Request request;
    if (absl::Status parsed = ParseMessage(*bytes, &request); !parsed.ok()) return parsed;
    return body(request, call);
  });
  if (!status.ok()) call->Fail(status);
  return call.get();
}

}  // namespace attend::server
