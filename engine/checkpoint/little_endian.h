// Unsigned numbers as file formats store them: lowest byte first, at any address.
#pragma once

#include <cstdint>

namespace attend {

inline uint16_t LoadU16(const uint8_t* bytes) {
  return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}
inline uint32_t LoadU32(const uint8_t* bytes) {
  return LoadU16(bytes) | static_cast<uint32_t>(LoadU16(bytes + 2)) << 16;
}
inline uint64_t LoadU64(const uint8_t* bytes) {
  return LoadU32(bytes) | static_cast<uint64_t>(LoadU32(bytes + 4)) << 32;
}

inline void StoreU32(uint32_t number, uint8_t* bytes) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(number >> (8 * i));
}
inline void StoreU64(uint64_t number, uint8_t* bytes) {
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(number >> (8 * i));
}

}  // namespace attend
