// Where results go: standard output or a file.
#pragma once

#include <string>
#include <string_view>

namespace attend::client {

// Buffered. After the reader of a pipe left, or after a failed write, everything further is dropped
// and is_open is false.
class Output {
 public:
  // Borrows the descriptor.
  explicit Output(int fd) : fd_(fd) {}
  // Creates or empties the file; is_open is false and error says why when that fails.
  static Output OpenFile(const std::string& path);
  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;
  ~Output();

  void Write(std::string_view text);
  void Flush();

  bool is_open() const { return is_open_; }
  bool reader_left() const { return reader_left_; }
  // Why writing failed; empty when it did not, or when only the reader left.
  const std::string& error() const { return error_; }
  int fd() const { return fd_; }

 private:
  void Fail(int error_number);

  int fd_ = -1;
  bool owns_fd_ = false;
  bool is_open_ = true;
  bool reader_left_ = false;
  std::string error_;
  std::string buffer_;
};

}  // namespace attend::client
