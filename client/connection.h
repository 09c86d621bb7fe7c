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

// True when the next text would meet the same failure: nobody there, an unknown model, a flag that
// the server refuses. False when it is about the text itself, or may pass.
bool HoldsForEveryText(const CallFailure& failure);

// Any thread may call; borrows options and interrupt.
class Connection {
 public:
  Connection(const ClientOptions& options, Interrupt* interrupt);

  // Waits up to the connect timeout until the server answers; later calls return at once.
  CallResult EnsureReachable();

  using Attempt = std::function<grpc::Status(grpc::ClientContext*)>;

  // Runs a unary call. Retries after the delay that the server asks for (RetryInfo) while that fits
  // the timeout: RESOURCE_EXHAUSTED as often as it takes, UNAVAILABLE up to three times. `attempt`
  // makes one call with the context given.
  CallResult CallUnary(const Attempt& attempt);

  // Runs a streaming call: `attempt` reads the stream to its end and returns its status. Retried
  // like a unary call as long as `has_begun` says that nothing of the stream was used.
  CallResult CallStream(const Attempt& attempt, const std::function<bool()>& has_begun);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  const ClientOptions& options() const { return options_; }

 private:
  using SystemClock = std::chrono::system_clock;
  CallResult CallOnce(SystemClock::time_point deadline, const Attempt& attempt);
  CallFailure Unreachable(const std::string& cause) const;

  const ClientOptions& options_;
  Interrupt* interrupt_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace attend::client
