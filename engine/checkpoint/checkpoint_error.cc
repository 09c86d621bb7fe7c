// One place builds every message, so that all of them have the same form and none carries unbounded
// or unprintable text out of a hostile file.
#include "engine/checkpoint/checkpoint_error.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/base/error.h"

namespace attend {
namespace {

constexpr size_t kMaxPrintedBytes = 120;

absl::Status PlacedError(absl::StatusCode code, std::string reason, const CheckpointPlace& place,
                         std::string_view what) {
  std::string message = std::string(place.file);
  if (!place.tensor.empty()) absl::StrAppend(&message, ": tensor '", Printable(place.tensor), "'");
  message.append(": ").append(what);
  ErrorDetail detail;
  detail.reason = std::move(reason);
  detail.metadata.emplace_back("file", place.file);
  if (!place.tensor.empty()) detail.metadata.emplace_back("tensor", Printable(place.tensor));
  return MakeError(code, message, std::move(detail));
}

}  // namespace

absl::Status CorruptCheckpoint(const CheckpointPlace& place, std::string_view what) {
  return PlacedError(absl::StatusCode::kDataLoss, "CHECKPOINT_CORRUPT", place, what);
}

absl::Status UnsupportedCheckpoint(const CheckpointPlace& place, std::string_view what) {
  return PlacedError(absl::StatusCode::kUnimplemented, "CHECKPOINT_UNSUPPORTED", place, what);
}

std::string Printable(std::string_view text) {
  const bool is_cut = text.size() > kMaxPrintedBytes;
  std::string out = absl::CHexEscape(std::string(text.substr(0, kMaxPrintedBytes)));
  if (is_cut) out += "...";
  return out;
}

bool IsPlainFileName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace attend
