// open(O_EXCL), pwrite, fsync, rename, fsync of the folder: without the first fsync a crash of the
// machine could leave the new name on an empty file.
#include "engine/checkpoint/unfinished_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

constexpr char kMark[] = ".unfinished-";
constexpr size_t kMaxBytesPerWrite = size_t{1} << 30;  // Linux writes at most 2 GiB at once
constexpr int kMaxNames = 1000;

absl::Status WriteError(const std::string& path, std::string_view what, int error) {
  const bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return {is_full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kFailedPrecondition,
          absl::StrCat(path, ": ", std::string(what), ": ", std::strerror(error))};
}

// The rename itself is on the disk only when its folder is. A file system that cannot say so is no
// reason to go without the file.
void SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

UnfinishedFile::UnfinishedFile(std::string path, std::string unfinished_path, int descriptor)
    : path_(std::move(path)),
      unfinished_path_(std::move(unfinished_path)),
      descriptor_(descriptor) {}

UnfinishedFile::~UnfinishedFile() {
  ::close(descriptor_);
  if (!is_committed_) ::unlink(unfinished_path_.c_str());
}

absl::StatusOr<std::unique_ptr<UnfinishedFile>> UnfinishedFile::Create(const std::string& path) {
  static std::atomic<uint64_t> count{0};
  // Two containers that share a folder may have the same process number.
  for (int i = 0; i < kMaxNames; ++i) {
    std::string name = absl::StrCat(path, kMark, ::getpid(), "-", ++count);
    const int descriptor =
        ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor >= 0) {
      return std::unique_ptr<UnfinishedFile>(new UnfinishedFile(path, std::move(name), descriptor));
    }
    if (errno != EEXIST) return WriteError(path, "cannot be written", errno);
  }
  return WriteError(path, "cannot be written", EEXIST);
}

absl::Status UnfinishedFile::WriteAt(uint64_t offset, absl::Span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const size_t wanted = std::min(bytes.size(), kMaxBytesPerWrite);
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), wanted, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return WriteError(path_, "cannot be written", count < 0 ? errno : EIO);
    bytes.remove_prefix(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return absl::OkStatus();
}

absl::Status UnfinishedFile::Append(absl::Span<const uint8_t> bytes) {
  ATTEND_CHECK(!is_committed_, "a file that is finished stays as it is");
  ATTEND_RETURN_IF_ERROR(WriteAt(size_, bytes));
  size_ += bytes.size();
  return absl::OkStatus();
}

absl::Status UnfinishedFile::Overwrite(uint64_t offset, absl::Span<const uint8_t> bytes) {
  ATTEND_CHECK(!is_committed_, "a file that is finished stays as it is");
  ATTEND_CHECK(offset <= size_ && bytes.size() <= size_ - offset, "bytes that were appended");
  return WriteAt(offset, bytes);
}

absl::Status UnfinishedFile::Commit() {
  ATTEND_CHECK(!is_committed_, "a file is finished once");
  if (::fsync(descriptor_) != 0) return WriteError(path_, "cannot be brought to the disk", errno);
  if (std::rename(unfinished_path_.c_str(), path_.c_str()) != 0)
    return WriteError(path_, "cannot be replaced", errno);
  is_committed_ = true;
  SyncFolderOf(path_);
  return absl::OkStatus();
}

bool IsUnfinishedName(std::string_view name) {
  const size_t mark = name.rfind(kMark);
  if (mark == std::string_view::npos || mark == 0) return false;
  const std::string_view numbers = name.substr(mark + sizeof(kMark) - 1);
  return !numbers.empty() && numbers.find_first_not_of("0123456789-") == std::string_view::npos;
}

}  // namespace attend
