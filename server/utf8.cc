// One step function that says how many bytes of a character are well-formed; table 3-7 of the
// Unicode standard: only the second byte's range depends on the first.
#include "server/utf8.h"

#include <cstddef>

namespace attend::server {
namespace {

struct Step {
  size_t bytes = 1;  // well-formed ones, at least one
  bool complete = false;
};

Step StepAt(std::string_view text, size_t at) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return {1, true};
  size_t length = 0;
  unsigned char least = 0x80, most = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) length = 2;
  if (first >= 0xE0 && first <= 0xEF) length = 3;
  if (first >= 0xF0 && first <= 0xF4) length = 4;
  if (first == 0xE0) least = 0xA0;  // else overlong
  if (first == 0xED) most = 0x9F;   // else a surrogate
  if (first == 0xF0) least = 0x90;  // else overlong
  if (first == 0xF4) most = 0x8F;   // else above U+10FFFF
  size_t have = 1;
  while (have < length && at + have < text.size() && byte(at + have) >= least &&
         byte(at + have) <= most) {
    ++have;
    least = 0x80;
    most = 0xBF;
  }
  return {have, have == length};
}

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Step step = StepAt(text, at);
    if (!step.complete) return false;
    at += step.bytes;
  }
  return true;
}

std::string ToUtf8(std::string_view text) {
  if (IsUtf8(text)) return std::string(text);
  std::string out;
  out.reserve(text.size() + 16);
  for (size_t at = 0; at < text.size();) {
    const Step step = StepAt(text, at);
    if (step.complete) {
      out.append(text.substr(at, step.bytes));
    } else {
      out.append("\xEF\xBF\xBD");
    }
    at += step.bytes;
  }
  return out;
}

}  // namespace attend::server
