// absl::Status (with or without an ErrorDetail) → google.rpc.Status → grpc::Status. The one place
// that knows which details each kind of error carries on the wire (docs/api.md, "Errors").
#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace attend::server {

inline constexpr char kErrorDomain[] = "attend";

// The machine-readable reason: the detail's, or one that follows from the code. Empty for OK and
// CANCELLED.
std::string ReasonOf(const absl::Status& status);

// What became of a call or an item, for metrics: "ok", the reason, or "CANCELLED".
std::string OutcomeOf(const absl::Status& status);

// The status without the server's own folders, which are nobody's business: each of `folders` is
// taken out of message and details, so that "/srv/models/en-fr/config.json: ..." reads
// "config.json: ...".
absl::Status HideFolders(const absl::Status& status, const std::vector<std::string>& folders);

// Code, message and details: ErrorInfo always (but for CANCELLED), BadRequest when a field is to
// blame, ResourceInfo with NOT_FOUND, PreconditionFailure with FAILED_PRECONDITION, RetryInfo when
// trying again makes sense. Long messages and metadata are cut, so that the whole fits the 8 KiB
// that clients take as trailers; bytes that are no UTF-8 become U+FFFD, since protobuf takes no
// others. `request_id`, when not empty, joins the metadata of INTERNAL
// errors. REQUIRES: !status.ok().
google::rpc::Status ToRpcStatus(const absl::Status& status, const std::string& request_id = "");

// OK stays OK; else the above, serialised into the third argument (trailer
// grpc-status-details-bin).
grpc::Status ToGrpcStatus(const absl::Status& status, const std::string& request_id = "");

}  // namespace attend::server
