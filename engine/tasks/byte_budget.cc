#include "engine/tasks/byte_budget.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"

namespace attend {
namespace {

// About as long as a reader takes for its answer.
constexpr absl::Duration kRetryDelay = absl::Seconds(1);

absl::Status Exhausted(int64_t bytes, int64_t limit) {
  ErrorDetail detail;
  detail.reason = "MEMORY_BUDGET";
  detail.metadata = {{"need_bytes", std::to_string(bytes)}, {"have_bytes", std::to_string(limit)}};
  const bool ever = bytes <= limit;
  if (ever) detail.retry_after = kRetryDelay;
  return MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("the attention asked for takes ", bytes, " bytes while it is read; ",
                   ever ? "too few are free of " : "there are only ", limit),
      std::move(detail));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const void>> ByteBudget::Take(int64_t bytes) {
  int64_t used = used_->load();
  do {
    if (bytes > limit_ - used) return Exhausted(bytes, limit_);
  } while (!used_->compare_exchange_weak(used, used + bytes));
  // The counter stands for the lease's object: what is leased is a number.
  return std::shared_ptr<const void>(
      used_.get(), [counter = used_, bytes](const void*) { counter->fetch_sub(bytes); });
}

}  // namespace attend
