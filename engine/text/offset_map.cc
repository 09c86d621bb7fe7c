// Two tables, one from bytes to units and one back, filled in a single pass. ASCII text, the
// commonest, needs neither: all three units agree there.
#include "engine/text/offset_map.h"

#include <algorithm>

#include "engine/text/unicode.h"

namespace attend {
namespace {

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

}  // namespace

OffsetMap::OffsetMap(std::string_view text, OffsetUnit unit)
    : unit_(unit), size_(static_cast<uint32_t>(text.size())) {
  if (IsAscii(text)) return;
  if (unit == OffsetUnit::kByte) {
    boundary_.assign(text.size() + 1, false);
    for (uint32_t at = 0; at < size_; at = CodePointAt(text, at).end) boundary_[at] = true;
    boundary_[size_] = true;
    return;
  }
  to_unit_.resize(text.size() + 1);
  uint32_t units = 0;
  for (uint32_t at = 0; at < size_;) {
    const CodePoint c = CodePointAt(text, at);
    std::fill(to_unit_.begin() + c.begin, to_unit_.begin() + c.end, units);
    to_byte_.push_back(c.begin);
    ++units;
    if (unit == OffsetUnit::kUtf16 && c.value > 0xFFFF) {
      to_byte_.push_back(-1);
      ++units;
    }
    at = c.end;
  }
  to_unit_[size_] = units;
  to_byte_.push_back(size_);
}

uint32_t OffsetMap::FromByte(uint32_t byte_offset) const {
  byte_offset = std::min(byte_offset, size_);
  if (!to_unit_.empty()) return to_unit_[byte_offset];
  while (!boundary_.empty() && !boundary_[byte_offset]) --byte_offset;
  return byte_offset;
}

std::optional<uint32_t> OffsetMap::ToByte(uint32_t unit_offset) const {
  if (!to_byte_.empty()) {
    if (unit_offset >= to_byte_.size() || to_byte_[unit_offset] < 0) return std::nullopt;
    return static_cast<uint32_t>(to_byte_[unit_offset]);
  }
  if (unit_offset > size_ || (!boundary_.empty() && !boundary_[unit_offset])) return std::nullopt;
  return unit_offset;
}

bool IsValidUtf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<uint8_t>(text[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    // Ranges of the second byte are what rules out overlong forms, surrogates and values past
    // U+10FFFF.
    size_t size = 0;
    uint8_t low = 0x80, high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      size = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      size = 3;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      size = 4;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    if (text.size() - at < size) return false;
    const auto second = static_cast<uint8_t>(text[at + 1]);
    if (second < low || second > high) return false;
    for (size_t i = 2; i < size; ++i) {
      if ((static_cast<uint8_t>(text[at + i]) & 0xC0) != 0x80) return false;
    }
    at += size;
  }
  return true;
}

}  // namespace attend
