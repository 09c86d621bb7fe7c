// Byte offsets of a UTF-8 text in the unit that a caller counts in: bytes (C++, Go, Rust), UTF-16
// code units (Java, C#, JavaScript) or code points (Python), and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/base/span.h"

namespace attend {

enum class OffsetUnit { kByte, kUtf16, kCodePoint };

// Built once per text, O(text) time; every look-up is O(1). Borrows nothing.
class OffsetMap {
 public:
  OffsetMap(std::string_view text, OffsetUnit unit);

  // REQUIRES: offset <= text size, on a character boundary (inside a character: the offset of that
  // character).
  uint32_t FromByte(uint32_t byte_offset) const;
  ByteSpan FromBytes(ByteSpan span) const { return {FromByte(span.begin), FromByte(span.end)}; }
  // nullopt when outside the text or inside a character (a UTF-16 surrogate pair counts as one).
  std::optional<uint32_t> ToByte(uint32_t unit_offset) const;

 private:
  OffsetUnit unit_;
  uint32_t size_;
  std::vector<uint32_t> to_unit_;  // per byte; empty for kByte and for ASCII text
  std::vector<int64_t>
      to_byte_;  // per unit, -1 inside a character; empty for kByte and for ASCII text
  std::vector<bool> boundary_;  // per byte, kByte only; empty for ASCII text
};

// Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing past
// U+10FFFF).
bool IsValidUtf8(std::string_view text);

}  // namespace attend
