// Plain write(2) with a buffer, because the three endings must be told apart: fine, reader gone
// (quiet), and disk full.
#include "client/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <utility>

namespace attend::client {
namespace {

constexpr std::size_t kFlushBytes = 64 * 1024;

}  // namespace

Output Output::OpenFile(const std::string& path) {
  Output output(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  output.owns_fd_ = true;
  if (output.fd_ < 0) output.Fail(errno);
  return output;
}

Output::Output(Output&& other) noexcept
    : fd_(other.fd_),
      owns_fd_(std::exchange(other.owns_fd_, false)),
      is_open_(other.is_open_),
      reader_left_(other.reader_left_),
      error_(std::move(other.error_)),
      buffer_(std::exchange(other.buffer_, {})) {}

Output::~Output() {
  Flush();
  if (owns_fd_ && fd_ >= 0) close(fd_);
}

void Output::Fail(int error_number) {
  is_open_ = false;
  buffer_.clear();
  if (error_number == EPIPE) {
    reader_left_ = true;
  } else {
    error_ = std::strerror(error_number);
  }
}

void Output::Write(std::string_view text) {
  if (!is_open_) return;
  buffer_.append(text);
  if (buffer_.size() >= kFlushBytes) Flush();
}

void Output::Flush() {
  std::size_t written = 0;
  while (is_open_ && written < buffer_.size()) {
    const ssize_t count = write(fd_, buffer_.data() + written, buffer_.size() - written);
    if (count >= 0) {
      written += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      pollfd wait = {fd_, POLLOUT, 0};
      poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      Fail(errno);
    }
  }
  buffer_.clear();
}

}  // namespace attend::client
