// Room is kept for the outcomes still to come, so that each can at least be an error.
#include "server/services/outcomes.h"

#include "engine/base/call_errors.h"
#include "server/services/messages.h"

namespace attend::server {
namespace {

// Room that a response needs beside its outcomes, around each of them, and for an error in place of
// one.
constexpr int64_t kUsageBytes = 256, kFieldBytes = 8, kErrorBytes = 1024;

}  // namespace

absl::Status CheckCount(int texts, int limit) {
  return texts <= limit ? absl::OkStatus() : TooManyTexts(texts, limit);
}

void RecordTexts(const AskedTexts& asked, CallRecord* record) {
  record->items = static_cast<int64_t>(asked.texts.size());
  for (const std::string& text : asked.texts)
    record->input_bytes += static_cast<int64_t>(text.size());
}

ResponseRoom::ResponseRoom(size_t num_outcomes, int64_t max_bytes)
    : num_outcomes_(num_outcomes), max_bytes_(max_bytes), used_(kUsageBytes) {}

absl::Status ResponseRoom::Check(size_t outcome_bytes) const {
  const int64_t bytes = used_ + static_cast<int64_t>(outcome_bytes) + kFieldBytes;
  const auto reserved = static_cast<int64_t>(num_outcomes_ - num_taken_ - 1) * kErrorBytes;
  if (bytes + reserved <= max_bytes_) return absl::OkStatus();
  return ResponseTooLarge(bytes, max_bytes_, absl::StrCat("texts[", num_taken_, "]"));
}

void ResponseRoom::Take(size_t outcome_bytes) {
  ++num_taken_;
  used_ += static_cast<int64_t>(outcome_bytes) + kFieldBytes;
}

}  // namespace attend::server
