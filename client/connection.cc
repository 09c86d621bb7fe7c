// Calls never wait for readiness themselves: EnsureReachable does, once, so that "nobody listens
// there" is told apart from "the server is slow". Only failures that the server marked as worth
// retrying are retried.
#include "client/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>

#include "grpc/health/v1/health.grpc.pb.h"

namespace attend::client {
namespace {

constexpr int kMaxUnavailableRetries = 3;
constexpr std::chrono::milliseconds kLeastDelay(20);  // a delay of zero must not become a storm

std::chrono::milliseconds Seconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  // A server that is just starting is found within half a second of listening.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetMaxReceiveMessageSize(64 << 20);
  if (IsLocalAddress(address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetUserAgentPrefix(std::string("attend-cli/") + ATTEND_VERSION);
  return grpc::CreateCustomChannel(TargetOf(address), grpc::InsecureChannelCredentials(),
                                   arguments);
}

// gRPC nests causes: "failed to connect to all addresses; last error: UNKNOWN: … Connection
// refused". The last part is what a reader can act on.
std::string InnermostCause(const std::string& message) {
  const std::size_t colon = message.rfind(": ");
  return colon == std::string::npos ? message : message.substr(colon + 2);
}

bool IsWorthRetrying(const CallError& error) {
  return error.retry_delay.has_value() && (error.code == grpc::StatusCode::UNAVAILABLE ||
                                           error.code == grpc::StatusCode::RESOURCE_EXHAUSTED);
}

// Reasons that name no field but depend on the texts.
bool IsTextReason(const std::string& reason) {
  return reason == "INPUT_TOO_LONG" || reason == "EMPTY_INPUT" || reason == "RESPONSE_TOO_LARGE";
}

// True for the fields that hold what a call is about: "text", "texts[3]", "source", "target".
bool IsTextField(const std::string& field) {
  const std::string name = field.substr(0, field.find('['));
  return name == "text" || name == "texts" || name == "source" || name == "target";
}

bool IsAboutText(const CallError& error) {
  if (IsTextReason(error.reason)) return true;
  return std::any_of(error.fields.begin(), error.fields.end(),
                     [](const auto& field) { return IsTextField(field.first); });
}

// Callers that were refused together must not come back together.
std::chrono::milliseconds WithJitter(std::chrono::milliseconds delay) {
  thread_local std::minstd_rand random(std::random_device{}());
  return delay +
         std::chrono::milliseconds(delay.count() * static_cast<int64_t>(random() % 200) / 1000);
}

std::string RequestIdOf(const grpc::ClientContext& context) {
  for (const auto* metadata :
       {&context.GetServerInitialMetadata(), &context.GetServerTrailingMetadata()}) {
    const auto found = metadata->find("x-request-id");
    if (found != metadata->end()) return std::string(found->second.data(), found->second.size());
  }
  return "";
}

}  // namespace

bool HoldsForEveryText(const CallFailure& failure) {
  if (failure.kind != CallFailure::Kind::kRefused) return true;
  switch (failure.error.code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
      return !IsAboutText(failure.error);
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

Connection::Connection(const ClientOptions& options, Interrupt* interrupt)
    : options_(options), interrupt_(interrupt), channel_(MakeChannel(options.address)) {}

CallFailure Connection::Unreachable(const std::string& cause) const {
  CallFailure failure;
  failure.kind = CallFailure::Kind::kUnreachable;
  failure.error.code = grpc::StatusCode::UNAVAILABLE;
  failure.error.message = cause;
  return failure;
}

CallResult Connection::EnsureReachable() {
  if (channel_->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY) return std::nullopt;
  const auto deadline = SystemClock::now() + Seconds(options_.connect_timeout_seconds);
  while (!interrupt_->is_cancelling()) {
    // Short waits, so that Ctrl-C is seen.
    const auto until = std::min(deadline, SystemClock::now() + std::chrono::milliseconds(100));
    if (channel_->WaitForConnected(until)) return std::nullopt;
    if (SystemClock::now() >= deadline) break;
  }
  if (interrupt_->is_cancelling()) return CallFailure{CallFailure::Kind::kInterrupted, {}};
  // A call that does not wait tells why there is no connection.
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::ClientContext context;
  context.set_deadline(SystemClock::now() + std::chrono::milliseconds(500));
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = health->Check(&context, {}, &response);
  if (status.ok()) return std::nullopt;
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return Unreachable("no gRPC server answered in time");
  }
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE)
    return std::nullopt;  // somebody answered
  return Unreachable(InnermostCause(status.error_message()));
}

CallResult Connection::CallOnce(SystemClock::time_point deadline, const Attempt& attempt) {
  grpc::ClientContext context;
  context.set_deadline(deadline);
  grpc::Status status;
  {
    const Interrupt::CallScope scope(interrupt_, &context);
    status = attempt(&context);
  }
  if (status.ok()) return std::nullopt;
  if (interrupt_->is_cancelling()) return CallFailure{CallFailure::Kind::kInterrupted, {}};
  CallFailure failure;
  failure.error = DecodeError(status);
  if (failure.error.request_id.empty()) failure.error.request_id = RequestIdOf(context);
  // UNAVAILABLE without a reason comes from the transport, not from the server.
  if (failure.error.code == grpc::StatusCode::UNAVAILABLE && failure.error.reason.empty()) {
    failure.kind = CallFailure::Kind::kUnreachable;
    failure.error.message = InnermostCause(failure.error.message);
  }
  return failure;
}

CallResult Connection::CallStream(const Attempt& attempt, const std::function<bool()>& has_begun) {
  if (CallResult unreachable = EnsureReachable()) return unreachable;
  const auto deadline = SystemClock::now() + Seconds(options_.timeout_seconds);
  int num_unavailable = 0;
  for (int retry = 1;; ++retry) {
    CallResult result = CallOnce(deadline, attempt);
    if (!result.has_value() || has_begun() || !IsWorthRetrying(result->error)) return result;
    // A full queue empties as it is worked off; a server that is unavailable may well stay so.
    if (result->error.code == grpc::StatusCode::UNAVAILABLE &&
        ++num_unavailable > kMaxUnavailableRetries)
      return result;
    const std::chrono::milliseconds delay =
        WithJitter(std::max(*result->error.retry_delay, kLeastDelay));
    if (SystemClock::now() + delay >= deadline) return result;
    if (options_.is_verbose) {
      std::fprintf(stderr, "attend: %s; retry %d in %.1f s\n",
                   FormatErrorLine(result->error).c_str(), retry,
                   static_cast<double>(delay.count()) / 1000);
    }
    if (!interrupt_->SleepFor(delay)) return CallFailure{CallFailure::Kind::kInterrupted, {}};
  }
}

CallResult Connection::CallUnary(const Attempt& attempt) {
  return CallStream(attempt, [] { return false; });  // a failed unary call brought nothing
}

}  // namespace attend::client
