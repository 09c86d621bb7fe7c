// A file on disk, open for reading by position. A checkpoint's files are never mapped
// (byte_source.h says why), so a file that is truncated, or whose disk fails, after opening is an
// error of the next read. A file that is replaced by renaming goes on being the old one.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/checkpoint/byte_source.h"

namespace attend {

class StoredFile : public ByteSource {
 public:
  // NOT_FOUND when there is no such file, FAILED_PRECONDITION when it is not a regular file or
  // cannot be read. Follows symbolic links (the hub's cache layout: snapshots/… → blobs/…).
  static absl::StatusOr<std::unique_ptr<StoredFile>> Open(const std::string& path);
  // A file that the server itself wrote. Beyond Open, FAILED_PRECONDITION for a symbolic link, a
  // file of another user than ours or root, and one that others may write.
  static absl::StatusOr<std::unique_ptr<StoredFile>> OpenOwn(const std::string& path);
  ~StoredFile() override;
  StoredFile(const StoredFile&) = delete;
  StoredFile& operator=(const StoredFile&) = delete;

  const std::string& path() const { return path_; }
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return size_; }  // when it was opened
  int descriptor() const { return descriptor_; }    // closed with this
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out,
                    std::string_view tensor = {}) const override;

  // OK unless the file holds the few lines that stand for a file which Git LFS keeps elsewhere: a
  // clone without `git lfs pull` is full of them. DATA_LOSS / CHECKPOINT_CORRUPT then.
  absl::Status RefuseLfsPointer() const;

 private:
  StoredFile(std::string path, int descriptor, uint64_t size);
  static absl::StatusOr<std::unique_ptr<StoredFile>> OpenWith(const std::string& path, bool is_own);

  std::string path_, name_;
  int descriptor_;
  uint64_t size_;
};

}  // namespace attend
