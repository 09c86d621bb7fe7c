// open, fstat, mmap: weights are read once and in order of need, so the page cache is the best
// buffer there is, and a checkpoint larger than memory still opens.
#include "engine/checkpoint/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"

namespace attend {
namespace {

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

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  // A path with a NUL in it would open another file than the one it names.
  if (path.find('\0') != std::string::npos) return FileError(ENOENT, path.c_str(), "no such file");
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    const int error = errno;
    return FileError(error, path, error == ENOENT ? "no such file" : std::strerror(error));
  }
  struct stat attributes = {};
  if (::fstat(file.get(), &attributes) != 0) return FileError(errno, path, "cannot be examined");
  if (!S_ISREG(attributes.st_mode)) return FileError(EINVAL, path, "not a regular file");
  const size_t size = static_cast<size_t>(attributes.st_size);
  const uint8_t* bytes = nullptr;
  if (size > 0) {  // mmap refuses empty files
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (address == MAP_FAILED) return FileError(EIO, path, "cannot be mapped into memory");
    bytes = static_cast<const uint8_t*>(address);
  }
  return std::unique_ptr<MappedFile>(new MappedFile(path, bytes, size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
}

}  // namespace attend
