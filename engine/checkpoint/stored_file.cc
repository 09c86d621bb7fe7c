// open, fstat, pread. Weights are read once and in order of need, straight into the memory where
// they stay; the system's page cache is the only other copy.
#include "engine/checkpoint/stored_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"

namespace attend {
namespace {

constexpr size_t kMaxBytesPerRead = size_t{1} << 30;  // Linux reads at most 2 GiB at once
constexpr std::string_view kLfsHead = "version https://git-lfs";

absl::Status FileError(int error, const std::string& path, std::string_view what) {
  ErrorDetail detail;
  const bool is_missing = error == ENOENT || error == ENOTDIR;
  detail.reason = is_missing ? "CHECKPOINT_FILE_MISSING" : "CHECKPOINT_FILE_UNREADABLE";
  detail.resource_type = "file";
  detail.resource_name = path;
  detail.metadata.emplace_back("file", path);
  const auto code =
      is_missing ? absl::StatusCode::kNotFound : absl::StatusCode::kFailedPrecondition;
  return MakeError(code, absl::StrCat(path, ": ", std::string(what)), std::move(detail));
}

}  // namespace

StoredFile::StoredFile(std::string path, int descriptor, uint64_t size)
    : path_(std::move(path)),
      name_(path_.substr(path_.rfind('/') + 1)),
      descriptor_(descriptor),
      size_(size) {}

StoredFile::~StoredFile() { ::close(descriptor_); }

absl::StatusOr<std::unique_ptr<StoredFile>> StoredFile::Open(const std::string& path) {
  return OpenWith(path, /*is_own=*/false);
}

absl::StatusOr<std::unique_ptr<StoredFile>> StoredFile::OpenOwn(const std::string& path) {
  return OpenWith(path, /*is_own=*/true);
}

absl::StatusOr<std::unique_ptr<StoredFile>> StoredFile::OpenWith(const std::string& path,
                                                                 bool is_own) {
  // A path with a NUL in it would open another file than the one it names.
  if (path.find('\0') != std::string::npos) return FileError(ENOENT, path.c_str(), "no such file");
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const int descriptor =
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | (is_own ? O_NOFOLLOW : 0));
  if (descriptor < 0) {
    const int error = errno;
    return FileError(error, path, error == ENOENT ? "no such file" : std::strerror(error));
  }
  std::unique_ptr<StoredFile> file(new StoredFile(path, descriptor, 0));  // closes it from here on
  struct stat attributes = {};
  if (::fstat(descriptor, &attributes) != 0) return FileError(errno, path, "cannot be examined");
  if (!S_ISREG(attributes.st_mode)) return FileError(EINVAL, path, "not a regular file");
  if (is_own && attributes.st_uid != ::geteuid() && attributes.st_uid != 0)
    return FileError(EPERM, path, "belongs to another user");
  if (is_own && (attributes.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return FileError(EPERM, path, "may be written by other users");
  file->size_ = static_cast<uint64_t>(attributes.st_size);
  return file;
}

absl::Status StoredFile::Read(uint64_t offset, absl::Span<uint8_t> out,
                              std::string_view tensor) const {
  size_t done = 0;
  while (done < out.size()) {
    const size_t wanted = std::min(out.size() - done, kMaxBytesPerRead);
    const ssize_t count =
        ::pread(descriptor_, out.data() + done, wanted, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return CorruptCheckpoint({name_, tensor},
                               absl::StrCat("expected ", out.size(), " bytes at byte ", offset,
                                            ", found an error: ", std::strerror(errno)));
    }
    if (count == 0) return ShortRead({name_, tensor}, offset, out.size(), done);
    done += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

absl::Status StoredFile::RefuseLfsPointer() const {
  if (size_ < kLfsHead.size()) return absl::OkStatus();
  ATTEND_ASSIGN_OR_RETURN(const std::string head, ReadString(0, kLfsHead.size()));
  if (head != kLfsHead) return absl::OkStatus();
  return CorruptCheckpoint({name_, ""},
                           "is a Git LFS pointer, not the file itself: run git lfs pull");
}

}  // namespace attend
