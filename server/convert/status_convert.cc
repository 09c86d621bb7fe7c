// Clients give up on trailers above 8 KiB, and then the caller sees a transport error instead of
// ours: so everything of variable length is cut here, at character boundaries.
#include "server/convert/status_convert.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "engine/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "server/utf8.h"

namespace attend::server {
namespace {

constexpr size_t kMaxMessageBytes = 512;
constexpr size_t kMaxValueBytes = 256;
constexpr size_t kMaxMetadataEntries = 8;

// Cuts to at most `limit` bytes between characters, and marks the cut.
std::string Shorten(const std::string& any_text, size_t limit) {
  std::string text = ToUtf8(any_text);
  if (text.size() <= limit) return text;
  size_t end = limit - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

bool BelongsToName(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

// "FOLDER/file" becomes "file", and FOLDER alone "the model's folder". Only absolute folders are
// looked for: a short relative one could be any word of the text.
std::string WithoutFolder(std::string text, std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  if (folder.size() < 2 || folder[0] != '/') return text;
  const std::string alone = "the model's folder";
  for (size_t at = 0; (at = text.find(folder, at)) != std::string::npos;) {
    const size_t end = at + folder.size();
    const char next = end < text.size() ? text[end] : ' ';
    const char after = end + 1 < text.size() ? text[end + 1] : ' ';
    if (next == '/' && BelongsToName(after)) {
      text.erase(at, folder.size() + 1);
    } else if (!BelongsToName(next)) {
      text.replace(at, folder.size() + (next == '/' ? 1 : 0), alone);
      at += alone.size();
    } else {
      at = end;  // another folder, whose name begins alike
    }
  }
  return text;
}

template <typename Detail>
void AddDetail(const Detail& detail, google::rpc::Status* out) {
  out->add_details()->PackFrom(detail);
}

void AddErrorInfo(const ErrorDetail& detail, const std::string& request_id,
                  google::rpc::Status* out) {
  google::rpc::ErrorInfo error_info;
  error_info.set_reason(ToUtf8(detail.reason));
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

std::string OutcomeOf(const absl::Status& status) {
  if (status.ok()) return "ok";
  const std::string reason = ReasonOf(status);
  return reason.empty() ? absl::StatusCodeToString(status.code()) : reason;
}

absl::Status HideFolders(const absl::Status& status, const std::vector<std::string>& folders) {
  if (status.ok()) return status;
  const auto hide = [&folders](std::string text) {
    for (const std::string& folder : folders) text = WithoutFolder(std::move(text), folder);
    return text;
  };
  const std::string message = hide(std::string(status.message()));
  std::optional<ErrorDetail> detail = GetErrorDetail(status);
  if (!detail) return absl::Status(status.code(), message);
  for (auto& [key, value] : detail->metadata) value = hide(value);
  detail->resource_name = hide(detail->resource_name);
  return MakeError(status.code(), message, *std::move(detail));
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
    resource.set_resource_type(Shorten(detail.resource_type, kMaxValueBytes));
    resource.set_resource_name(Shorten(detail.resource_name, kMaxValueBytes));
    resource.set_description(message);
    AddDetail(resource, &out);
  }
  if (status.code() == absl::StatusCode::kFailedPrecondition) {
    google::rpc::PreconditionFailure failure;
    auto* violation = failure.add_violations();
    violation->set_type(ToUtf8(detail.reason));
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
