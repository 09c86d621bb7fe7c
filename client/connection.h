// A channel to one server: deadlines, waiting for readiness, retries, and errors a reader
// understands.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/client_options.h"
#include "client/error_message.h"
#include "client/interrupt.h"

namespace attend::client {

// Why a call gave no answer.
struct CallFailure {
  enum class Kind { kRefused, kUnreachable, kInterrupted };
  Kind kind = Kind::kRefused;
  CallError error;
};

using CallResult = std::optional<CallFailure>;  // nothing: it worked

// Any thread may call; borrows options and interrupt.
class Connection {
 public:
  Connection(const ClientOptions& options, Interrupt* interrupt);

  // Waits up to the connect timeout until the server answers; later calls return at once.
  CallResult EnsureReachable();

  // Runs a unary call, with up to three retries when the server says UNAVAILABLE or
  // RESOURCE_EXHAUSTED with RetryInfo and the delay fits the timeout. `attempt` makes one call with
  // the context given.
  CallResult CallUnary(const std::function<grpc::Status(grpc::ClientContext*)>& attempt);

  // Runs a streaming call once. `attempt` reads the stream to its end and returns its status.
  CallResult CallStream(const std::function<grpc::Status(grpc::ClientContext*)>& attempt);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  const ClientOptions& options() const { return options_; }

 private:
  using SystemClock = std::chrono::system_clock;
  CallResult CallOnce(SystemClock::time_point deadline,
                      const std::function<grpc::Status(grpc::ClientContext*)>& attempt);
  CallFailure Unreachable(const std::string& cause) const;

  const ClientOptions& options_;
  Interrupt* interrupt_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace attend::client
