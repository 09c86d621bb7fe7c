// A file mapped read-only into memory. The bytes stay valid while the object lives. A file that
// another process truncates after opening makes reads past its end fail as the operating system
// does (SIGBUS): replace checkpoints by rename, never in place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace attend {

class MappedFile {
 public:
  // NOT_FOUND when there is no such file, FAILED_PRECONDITION when it is not a regular file or
  // cannot be read. Follows symbolic links (the hub's cache layout: snapshots/… → blobs/…). An
  // empty file has empty bytes().
  static absl::StatusOr<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  absl::Span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, const uint8_t* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}
  std::string path_;
  const uint8_t* data_;
  size_t size_;
};

}  // namespace attend
