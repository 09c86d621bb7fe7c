// Clients give up on trailers above 8 KiB, and then the caller sees a transport error instead of
// ours: so everything of variable length is cut here, at character boundaries.
#include "server/convert/status_convert.h"

#include <algorithm>

#include "absl/time/time.h"
#include "engine/base/error.h"
#include "google/rpc/error_details.pb.h"

namespace attend::server {
namespace {

constexpr size_t kMaxMessageBytes = 512;
constexpr size_t kMaxValueBytes = 256;
constexpr size_t kMaxMetadataEntries = 8;

// Cuts to at most `limit` bytes between characters, and marks the cut.
std::string Shorten(const std::string& text, size_t limit) {
  if (text.size() <= limit) return text;
  size_t end = limit - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

template <typename Detail>
void AddDetail(const Detail& detail, google::rpc::Status* out) {
  out->add_details()->PackFrom(detail);
}

void AddErrorInfo(const ErrorDetail& detail, const std::string& request_id,
                  google::rpc::Status* out) {
  google::rpc::ErrorInfo error_info;
  error_info.set_reason(detail.reason);
  error_info.set_domain(kErrorDomain);
  for (size_t i = 0; i < std::min(detail.metadata.size(), kMaxMetadataEntries); ++i) {
    (*error_info.mutable_metadata())[Shorten(detail.metadata[i].first, 64)] =
        Shorten(detail.metadata[i].second, kMaxValueBytes);
  }
  if (!request_id.empty()) (*error_info.mutable_metadata())["request_id"] = request_id;
  AddDetail(error_info, out);
}

void AddRetryInfo(absl::Duration after, google::rpc::Status* out) {
  google::rpc::RetryInfo retry;
  const int64_t nanoseconds = std::max<int64_t>(0, absl::ToInt64Nanoseconds(after));
  retry.mutable_retry_delay()->set_seconds(nanoseconds / 1000000000);
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(nanoseconds % 1000000000));
  AddDetail(retry, out);
}

}  // namespace

std::string ReasonOf(const absl::Status& status) {
  if (auto detail = GetErrorDetail(status)) return detail->reason;
  if (status.ok() || absl::IsCancelled(status)) return "";
  if (absl::IsInternal(status) || absl::IsUnknown(status)) return "BUG";
  return absl::StatusCodeToString(status.code());  // for example "DEADLINE_EXCEEDED"
}

google::rpc::Status ToRpcStatus(const absl::Status& status, const std::string& request_id) {
  google::rpc::Status out;
  out.set_code(static_cast<int>(status.code()));
  const std::string message = Shorten(std::string(status.message()), kMaxMessageBytes);
  out.set_message(message);
  ErrorDetail detail = GetErrorDetail(status).value_or(ErrorDetail{});
  if (detail.reason.empty()) detail.reason = ReasonOf(status);
  if (detail.reason.empty()) return out;
  AddErrorInfo(detail, status.code() == absl::StatusCode::kInternal ? request_id : "", &out);
  if (status.code() == absl::StatusCode::kInvalidArgument && !detail.field.empty()) {
    google::rpc::BadRequest bad;
    auto* violation = bad.add_field_violations();
    violation->set_field(Shorten(detail.field, kMaxValueBytes));
    violation->set_description(message);
    AddDetail(bad, &out);
  }
  if (status.code() == absl::StatusCode::kNotFound) {
    google::rpc::ResourceInfo resource;
    resource.set_resource_type(detail.resource_type);
    resource.set_resource_name(Shorten(detail.resource_name, kMaxValueBytes));
    resource.set_description(message);
    AddDetail(resource, &out);
  }
  if (status.code() == absl::StatusCode::kFailedPrecondition) {
    google::rpc::PreconditionFailure failure;
    auto* violation = failure.add_violations();
    violation->set_type(detail.reason);
    violation->set_subject(Shorten(detail.resource_name, kMaxValueBytes));
    violation->set_description(message);
    AddDetail(failure, &out);
  }
  if (detail.retry_after) AddRetryInfo(*detail.retry_after, &out);
  return out;
}

grpc::Status ToGrpcStatus(const absl::Status& status, const std::string& request_id) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status details = ToRpcStatus(status, request_id);
  return grpc::Status(static_cast<grpc::StatusCode>(details.code()), details.message(),
                      details.SerializeAsString());
}

}  // namespace attend::server
