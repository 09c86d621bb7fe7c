// What went wrong with a call or an item, decoded from google.rpc.Status and written for people.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/terminal.h"
#include "google/rpc/status.pb.h"

namespace attend::client {

struct CallError {
  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  std::string message;
  std::string reason;  // "QUEUE_FULL"; empty when the server gave none
  std::vector<std::pair<std::string, std::string>> metadata;  // of the reason, sorted by name
  std::vector<std::pair<std::string, std::string>> fields;    // field path, description
  std::string resource_type, resource_name;
  std::vector<std::string> preconditions;
  std::optional<std::chrono::milliseconds> retry_delay;
  std::string request_id;
};

// Details that cannot be parsed are left out; code and message always come through.
CallError DecodeError(const google::rpc::Status& status);
CallError DecodeError(const grpc::Status& status);

// "NOT_FOUND".
std::string CodeName(grpc::StatusCode code);

// Code, reason and message on the first line, then one indented line for each thing known. Ends
// with a line end.
std::string FormatError(const CallError& error, const Terminal& terminal);

// The same on one line, for items of a batch: "INVALID_ARGUMENT (INPUT_TOO_LONG): …". No line end.
std::string FormatErrorLine(const CallError& error);

}  // namespace attend::client
