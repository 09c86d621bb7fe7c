// One place builds every message, so that all of them have the same form and none carries unbounded
// or unprintable text out of a hostile file.
#include "engine/checkpoint/checkpoint_error.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/base/error.h"

namespace attend {
namespace {

constexpr size_t kMaxPrintedBytes = 120;

struct Kind {
  absl::StatusCode code;
  const char* reason;
};
constexpr Kind kCorrupt = {absl::StatusCode::kDataLoss, "CHECKPOINT_CORRUPT"};

using Metadata = std::vector<std::pair<std::string, std::string>>;

absl::Status PlacedError(const Kind& kind, const CheckpointPlace& place, std::string_view what,
                         const Metadata& further = {}) {
  std::string message = std::string(place.file);
  if (!place.tensor.empty()) absl::StrAppend(&message, ": tensor '", Printable(place.tensor), "'");
  message.append(": ").append(what);
  ErrorDetail detail;
  detail.reason = kind.reason;
  detail.metadata.emplace_back("file", place.file);
  if (!place.tensor.empty()) detail.metadata.emplace_back("tensor", Printable(place.tensor));
  detail.metadata.insert(detail.metadata.end(), further.begin(), further.end());
  return MakeError(kind.code, message, std::move(detail));
}

absl::Status ExpectedFound(const Kind& kind, const CheckpointPlace& place,
                           std::string_view expected, std::string_view found) {
  return PlacedError(
      kind, place, absl::StrCat("expected ", std::string(expected), ", found ", std::string(found)),
      {{"expected", std::string(expected)}, {"found", std::string(found)}});
}

}  // namespace

absl::Status CorruptCheckpoint(const CheckpointPlace& place, std::string_view what) {
  return PlacedError(kCorrupt, place, what);
}

absl::Status UnsupportedCheckpoint(const CheckpointPlace& place, std::string_view what) {
  return PlacedError({absl::StatusCode::kUnimplemented, "CHECKPOINT_UNSUPPORTED"}, place, what);
}

absl::Status ShortRead(const CheckpointPlace& place, uint64_t offset, uint64_t wanted,
                       uint64_t found) {
  return CorruptTensor(place, absl::StrCat(wanted, " bytes at byte ", offset),
                       absl::StrCat(found, ": the file is truncated, or was while it was read"));
}

absl::Status MismatchedTensor(const CheckpointPlace& place, std::string_view expected,
                              std::string_view found) {
  return ExpectedFound({absl::StatusCode::kFailedPrecondition, "MODEL_FAILED"}, place, expected,
                       found);
}

absl::Status CorruptTensor(const CheckpointPlace& place, std::string_view expected,
                           std::string_view found) {
  return ExpectedFound(kCorrupt, place, expected, found);
}

absl::Status MissingTensor(const CheckpointPlace& place, std::string_view expected) {
  return ExpectedFound({absl::StatusCode::kNotFound, "TENSOR_MISSING"}, place, expected,
                       "no such tensor");
}

absl::Status NoMemoryFor(const CheckpointPlace& place, uint64_t bytes) {
  return PlacedError({absl::StatusCode::kResourceExhausted, "MODEL_FAILED"}, place,
                     absl::StrCat("no memory for the ", bytes, " bytes that it takes"),
                     {{"bytes", absl::StrCat(bytes)}});
}

absl::Status CorruptJson(std::string_view file, const absl::Status& status) {
  if (status.code() != absl::StatusCode::kInvalidArgument) return status;
  std::string what(status.message());
  const std::string prefix = absl::StrCat(std::string(file), ": ");  // Json names the file as well
  if (what.compare(0, prefix.size(), prefix) == 0) what.erase(0, prefix.size());
  Metadata further;
  if (const auto detail = GetErrorDetail(status)) {
    for (const auto& entry : detail->metadata) {
      if (entry.first != "file") further.push_back(entry);
    }
  }
  return PlacedError(kCorrupt, {file, ""}, what, further);
}

absl::Status FailedAt(const CheckpointPlace& place, const absl::Status& status) {
  return PlacedError({status.code(), "MODEL_FAILED"}, place, std::string(status.message()));
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
