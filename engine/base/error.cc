// The payload is a flat list of length-prefixed strings ("5:hello"): it never leaves the process,
// so it needs no schema, and the engine stays free of protobuf.
#include "engine/base/error.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "engine/base/check.h"

namespace attend {
namespace {

constexpr char kPayloadUrl[] = "attend/error-detail";

void Append(std::string_view value, std::string* out) {
  out->append(std::to_string(value.size())).append(":").append(value.data(), value.size());
}

// Takes one string off the front of *in; false when the rest is malformed.
bool Take(std::string_view* in, std::string* value) {
  const size_t colon = in->find(':');
  if (colon == std::string_view::npos) return false;
  int64_t size = 0;
  if (!absl::SimpleAtoi(std::string(in->substr(0, colon)), &size)) return false;
  if (size < 0 || colon + 1 + static_cast<size_t>(size) > in->size()) return false;
  value->assign(in->substr(colon + 1, static_cast<size_t>(size)));
  in->remove_prefix(colon + 1 + static_cast<size_t>(size));
  return true;
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, std::string_view message, ErrorDetail detail) {
  ATTEND_CHECK(code != absl::StatusCode::kOk, "an error needs an error code");
  absl::Status status(code, std::string(message));
  std::string payload;
  Append(detail.reason, &payload);
  Append(detail.field, &payload);
  Append(detail.retry_after ? std::to_string(absl::ToInt64Nanoseconds(*detail.retry_after)) : "",
         &payload);
  Append(detail.resource_type, &payload);
  Append(detail.resource_name, &payload);
  for (const auto& [key, value] : detail.metadata) {
    Append(key, &payload);
    Append(value, &payload);
  }
  status.SetPayload(kPayloadUrl, absl::Cord(payload));
  return status;
}

std::optional<ErrorDetail> GetErrorDetail(const absl::Status& status) {
  auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string flat(*payload);
  std::string_view in = flat;
  ErrorDetail detail;
  std::string retry;
  if (!Take(&in, &detail.reason) || !Take(&in, &detail.field) || !Take(&in, &retry) ||
      !Take(&in, &detail.resource_type) || !Take(&in, &detail.resource_name)) {
    return std::nullopt;
  }
  int64_t nanoseconds = 0;
  if (!retry.empty() && absl::SimpleAtoi(retry, &nanoseconds))
    detail.retry_after = absl::Nanoseconds(nanoseconds);
  std::string key, value;
  while (!in.empty() && Take(&in, &key) && Take(&in, &value))
    detail.metadata.emplace_back(key, value);
  return detail;
}

absl::Status WithFieldPrefix(const absl::Status& status, std::string_view prefix) {
  auto detail = GetErrorDetail(status);
  if (!detail || detail->field.empty()) return status;
  detail->field = std::string(prefix) + detail->field;
  return MakeError(status.code(), std::string(status.message()), *std::move(detail));
}

absl::Status InvalidField(std::string_view reason, std::string_view field,
                          std::string_view message) {
  ErrorDetail detail;
  detail.reason = std::string(reason);
  detail.field = std::string(field);
  return MakeError(absl::StatusCode::kInvalidArgument, message, std::move(detail));
}

}  // namespace attend
