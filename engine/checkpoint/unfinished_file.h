// A file that other processes see whole or not at all: written under another name in the same
// folder, brought to the disk, and renamed. Several processes may write the same file at once; the
// last to finish wins.
//
// Errors: RESOURCE_EXHAUSTED when the disk is full, FAILED_PRECONDITION for whatever else the
// system says, both with the path. They carry no ErrorDetail: no caller ever sees them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace attend {

class UnfinishedFile {
 public:
  static absl::StatusOr<std::unique_ptr<UnfinishedFile>> Create(const std::string& path);
  // Removes what was written unless it was committed.
  ~UnfinishedFile();
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;

  absl::Status Append(absl::Span<const uint8_t> bytes);
  // Replaces bytes that were appended before. REQUIRES: they were.
  absl::Status Overwrite(uint64_t offset, absl::Span<const uint8_t> bytes);
  // The file gets its name. Once, as the last call.
  absl::Status Commit();

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }

 private:
  UnfinishedFile(std::string path, std::string unfinished_path, int descriptor);
  absl::Status WriteAt(uint64_t offset, absl::Span<const uint8_t> bytes);

  std::string path_, unfinished_path_;
  int descriptor_;
  uint64_t size_ = 0;
  bool is_committed_ = false;
};

// Whether a file's name is one that an UnfinishedFile for any file has until it is committed.
bool IsUnfinishedName(std::string_view name);

}  // namespace attend
