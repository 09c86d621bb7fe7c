// A half-open byte range [begin, end) of a UTF-8 text. Every range inside the engine counts bytes;
// other units exist only at its door (text/offset_map.h).
#pragma once

#include <cstdint>

namespace attend {

struct ByteSpan {
  uint32_t begin = 0;
  uint32_t end = 0;

  bool empty() const { return begin >= end; }
  uint32_t size() const { return end - begin; }
  friend bool operator==(ByteSpan a, ByteSpan b) { return a.begin == b.begin && a.end == b.end; }
};

// Whether the two share a byte.
inline bool Overlaps(ByteSpan a, ByteSpan b) { return a.begin < b.end && b.begin < a.end; }

}  // namespace attend
