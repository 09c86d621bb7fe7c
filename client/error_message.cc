// The server puts google.rpc.Status into the grpc-status-details-bin trailer; per-item errors carry
// the same message.
#include "client/error_message.h"

#include <algorithm>

#include "client/text_width.h"
#include "google/rpc/error_details.pb.h"

namespace attend::client {
namespace {

void DecodeDetail(const google::protobuf::Any& detail, CallError* error) {
  google::rpc::ErrorInfo reason;
  google::rpc::BadRequest bad_request;
  google::rpc::RetryInfo retry;
  google::rpc::ResourceInfo resource;
  google::rpc::PreconditionFailure precondition;
  google::rpc::QuotaFailure quota;
  google::rpc::RequestInfo request;
  if (detail.UnpackTo(&reason)) {
    error->reason = reason.reason();
    error->metadata.assign(reason.metadata().begin(), reason.metadata().end());
    std::sort(error->metadata.begin(), error->metadata.end());
  } else if (detail.UnpackTo(&bad_request)) {
    for (const auto& violation : bad_request.field_violations()) {
      error->fields.emplace_back(violation.field(), violation.description());
    }
  } else if (detail.UnpackTo(&retry)) {
    const auto& delay = retry.retry_delay();
    // A day is more than anyone waits, and keeps the arithmetic in range.
    const int64_t seconds = std::clamp<int64_t>(delay.seconds(), 0, 86400);
    const int64_t nanos = std::clamp<int64_t>(delay.nanos(), 0, 999999999);
    error->retry_delay = std::chrono::milliseconds(seconds * 1000 + nanos / 1000000);
  } else if (detail.UnpackTo(&resource)) {
    error->resource_type = resource.resource_type();
    error->resource_name = resource.resource_name();
  } else if (detail.UnpackTo(&precondition)) {
    for (const auto& violation : precondition.violations()) {
      error->preconditions.push_back(
          violation.type() + " " + violation.subject() +
          (violation.description().empty() ? "" : ": " + violation.description()));
    }
  } else if (detail.UnpackTo(&quota)) {
    for (const auto& violation : quota.violations()) {
      error->preconditions.push_back("quota " + violation.subject() + ": " +
                                     violation.description());
    }
  } else if (detail.UnpackTo(&request)) {
    error->request_id = request.request_id();
  }
}

std::string FormatDelay(std::chrono::milliseconds delay) {
  const int64_t tenths = (delay.count() + 50) / 100;
  if (delay.count() < 100) return std::to_string(delay.count()) + " ms";
  return std::to_string(tenths / 10) + (tenths % 10 != 0 ? "." + std::to_string(tenths % 10) : "") +
         " s";
}

}  // namespace

CallError DecodeError(const google::rpc::Status& status) {
  CallError error;
  error.code = status.code() >= 0 && status.code() <= 16
                   ? static_cast<grpc::StatusCode>(status.code())
                   : grpc::StatusCode::UNKNOWN;
  error.message = status.message();
  for (const auto& detail : status.details()) DecodeDetail(detail, &error);
  return error;
}

CallError DecodeError(const grpc::Status& status) {
  google::rpc::Status details;
  CallError error;
  if (!status.error_details().empty() && details.ParseFromString(status.error_details()))
    error = DecodeError(details);
  error.code = status.error_code();
  error.message = status.error_message();
  return error;
}

std::string CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const int index = static_cast<int>(code);
  return index >= 0 && index < 17 ? kNames[index] : "CODE_" + std::to_string(index);
}

std::string FormatErrorLine(const CallError& error) {
  std::string line = CodeName(error.code);
  if (!error.reason.empty()) line += " (" + error.reason + ")";
  return line + ": " + Printable(error.message);
}

std::string FormatError(const CallError& error, const Terminal& terminal) {
  const ColorDepth color = terminal.color;
  std::string text =
      Bold(color) + Foreground(color, {215, 55, 55}) + CodeName(error.code) + ResetStyle(color);
  if (!error.reason.empty()) text += " (" + error.reason + ")";
  text += ": " + Printable(error.message) + "\n";
  const auto add = [&](const std::string& name, const std::string& value) {
    text += "  " + Dim(color) + PadRight(Printable(name) + ":", 10) + ResetStyle(color) + " " +
            Printable(value) + "\n";
  };
  for (const auto& [field, description] : error.fields) {
    // Servers often repeat the message as the description.
    add("field",
        description.empty() || description == error.message ? field : field + ": " + description);
  }
  if (!error.resource_name.empty()) {
    add("resource",
        (error.resource_type.empty() ? "" : error.resource_type + " ") + error.resource_name);
  }
  for (const std::string& precondition : error.preconditions) add("needs", precondition);
  for (const auto& [name, value] : error.metadata) add(name, value);
  if (error.retry_delay.has_value()) add("retry", "in " + FormatDelay(*error.retry_delay));
  if (!error.request_id.empty()) add("request id", error.request_id);
  return text;
}

}  // namespace attend::client
