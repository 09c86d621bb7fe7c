// Errors with a machine-readable reason. An absl::Status carries code and message; an ErrorDetail
// rides along as its payload, and the server turns it into google.rpc.ErrorInfo, BadRequest,
// ResourceInfo and RetryInfo without knowing where it came from. Reasons are the UPPER_SNAKE words
// of docs/api.md (for example "OPTION_OUT_OF_RANGE").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace attend {

struct ErrorDetail {
  std::string reason;  // never empty
  std::string field;   // request field path; empty when none is to blame
  std::vector<std::pair<std::string, std::string>>
      metadata;                               // the message's variable parts, by name
  std::optional<absl::Duration> retry_after;  // set when trying again later makes sense
  std::string resource_type, resource_name;   // for NOT_FOUND and FAILED_PRECONDITION
};

// A status with the detail attached. REQUIRES: code != kOk.
absl::Status MakeError(absl::StatusCode code, std::string_view message, ErrorDetail detail);

// The detail of a status, if it has one.
std::optional<ErrorDetail> GetErrorDetail(const absl::Status& status);

// The same status with `prefix` put before its field path ("decoding." + "beam_size"). No detail:
// unchanged.
absl::Status WithFieldPrefix(const absl::Status& status, std::string_view prefix);

// INVALID_ARGUMENT with a field path: the commonest error.
absl::Status InvalidField(std::string_view reason, std::string_view field,
                          std::string_view message);

}  // namespace attend
