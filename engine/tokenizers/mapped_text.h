// A text made from another one by leaving out and putting in, with the way back to the offsets of
// the original; and byte ranges made presentable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/span.h"

namespace attend {

class MappedText {
 public:
  // Appends bytes [begin, end) of `original`. REQUIRES: calls go forward through the original.
  void Keep(std::string_view original, uint32_t begin, uint32_t end);
  // Appends bytes that stand for none of the original, at one place of it.
  void Insert(std::string_view bytes, uint32_t at);

  const std::string& text() const { return text_; }
  // A range of text() → what it came from; an empty one where it was put in.
  // REQUIRES: something was appended.
  ByteSpan ToOriginal(ByteSpan span) const;

 private:
  struct Run {
    uint32_t begin;     // in text_
    uint32_t original;  // the same place in the original
    bool is_inserted;
  };
  const Run& RunOf(uint32_t offset) const;

  std::string text_;
  std::vector<Run> runs_;
};

// Widened to character boundaries, and without white space at the ends unless there is nothing
// else.
ByteSpan TidySpan(std::string_view text, ByteSpan span);

// Without what Python's str.strip takes off at these ends.
ByteSpan StripSpan(std::string_view text, ByteSpan span, bool at_begin, bool at_end);

}  // namespace attend
