#include "engine/base/call_errors.h"

#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"

namespace attend {

absl::Status ShuttingDown(std::string_view what, std::optional<int64_t> tokens_done) {
  ErrorDetail detail;
  detail.reason = "SHUTTING_DOWN";
  if (tokens_done) detail.metadata = {{"tokens_done", std::to_string(*tokens_done)}};
  detail.retry_after = absl::Seconds(1);
  return MakeError(absl::StatusCode::kUnavailable,
                   absl::StrCat("the ", std::string(what), " is shutting down"), std::move(detail));
}

absl::Status DeadlinePassed(int64_t tokens_done) {
  ErrorDetail detail;
  detail.reason = "DEADLINE_EXCEEDED";
  detail.metadata = {{"tokens_done", std::to_string(tokens_done)}};
  return MakeError(absl::StatusCode::kDeadlineExceeded,
                   absl::StrCat("the deadline passed after ", tokens_done, " output tokens"),
                   std::move(detail));
}

absl::Status OutOfMemory() {
  try {
    ErrorDetail detail;
    detail.reason = "OUT_OF_MEMORY";
    return MakeError(absl::StatusCode::kResourceExhausted, "the server has no memory for this call",
                     std::move(detail));
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
}

absl::Status TooManyTexts(int64_t texts, int64_t limit) {
  ErrorDetail detail;
  detail.reason = "TOO_MANY_ITEMS";
  detail.field = "texts";
  detail.metadata = {{"items", std::to_string(texts)}, {"limit", std::to_string(limit)}};
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat(texts, " texts in one call; at most ", limit, " are taken"),
                   std::move(detail));
}

}  // namespace attend
