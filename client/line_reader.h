// Lines of a file descriptor, read without ever blocking longer than poll allows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace attend::client {

struct InputLine {
  int64_t number = 0;      // 1 is the first
  std::string text;        // without line end and carriage return
  std::string problem;     // why the line cannot be sent: too long, or not UTF-8; empty when it can
  int64_t end_offset = 0;  // bytes of input up to the end of this line
};

// Reads in chunks; keeps at most the unfinished line and what one chunk held.
class LineReader {
 public:
  static constexpr std::size_t kMaxLineBytes = 2 << 20;

  // Borrows the descriptor.
  explicit LineReader(int fd) : fd_(fd) {}

  // One read(2) of up to 64 KiB: call when poll says readable. Blocks otherwise.
  void ReadChunk();

  bool has_line() const { return !lines_.empty(); }
  std::size_t num_lines() const { return lines_.size(); }
  // Bytes of the next line. REQUIRES: has_line.
  std::size_t next_line_size() const { return lines_.front().text.size(); }
  // REQUIRES: has_line.
  InputLine TakeLine();

  bool at_end() const { return at_end_; }
  // Why reading failed; at_end is true then.
  const std::string& error() const { return error_; }
  int fd() const { return fd_; }

 private:
  void Append(const char* bytes, std::size_t size);
  void FinishLine();

  int fd_;
  bool at_end_ = false;
  std::string error_;
  std::string partial_;
  bool partial_is_too_long_ = false;
  int64_t offset_ = 0;  // bytes consumed, the partial line included
  int64_t num_read_ = 0;
  std::deque<InputLine> lines_;
};

}  // namespace attend::client
