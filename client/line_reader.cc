// A line over the limit is counted and reported but not kept, so a file without line ends cannot
// eat the memory.
#include "client/line_reader.h"

#include <errno.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "client/text_width.h"

namespace attend::client {

void LineReader::ReadChunk() {
  char chunk[64 * 1024];
  ssize_t count;
  do {
    count = read(fd_, chunk, sizeof chunk);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    Append(chunk, static_cast<std::size_t>(count));
    return;
  }
  if (count < 0 && errno == EAGAIN) return;
  if (count < 0) error_ = std::strerror(errno);
  at_end_ = true;
  if (!partial_.empty() || partial_is_too_long_) FinishLine();
}

void LineReader::Append(const char* bytes, std::size_t size) {
  const char* const end = bytes + size;
  while (bytes < end) {
    const void* line_end = std::memchr(bytes, '\n', static_cast<std::size_t>(end - bytes));
    const char* stop = line_end != nullptr ? static_cast<const char*>(line_end) : end;
    const auto length = static_cast<std::size_t>(stop - bytes);
    if (partial_.size() + length > kMaxLineBytes) {
      partial_is_too_long_ = true;
      partial_.clear();
    } else if (!partial_is_too_long_) {
      partial_.append(bytes, length);
    }
    offset_ += static_cast<int64_t>(length);
    bytes = stop;
    if (line_end != nullptr) {
      ++bytes;
      ++offset_;
      FinishLine();
    }
  }
}

void LineReader::FinishLine() {
  InputLine line;
  line.number = ++num_read_;
  line.end_offset = offset_;
  line.text = std::exchange(partial_, {});
  if (std::exchange(partial_is_too_long_, false)) {
    line.text.clear();
    line.problem = "longer than " + std::to_string(kMaxLineBytes) + " bytes, not sent";
  } else {
    if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
    if (line.number == 1 && line.text.compare(0, 3, "\xEF\xBB\xBF") == 0)
      line.text.erase(0, 3);  // byte order mark
    if (const std::size_t bad = FirstInvalidUtf8(line.text); bad != std::string::npos) {
      line.problem = "not valid UTF-8 at byte " + std::to_string(bad + 1) + ", not sent";
    }
  }
  lines_.push_back(std::move(line));
}

InputLine LineReader::TakeLine() {
  InputLine line = std::move(lines_.front());
  lines_.pop_front();
  return line;
}

}  // namespace attend::client
