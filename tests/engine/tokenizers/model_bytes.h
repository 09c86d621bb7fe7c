// SentencePiece models made by hand, byte by byte, for tests that need odd or broken ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace attend {

inline std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}

inline std::string BytesField(uint32_t number, std::string_view bytes) {
  return Varint(number << 3 | 2) + Varint(bytes.size()) + std::string(bytes);
}

inline std::string IntField(uint32_t number, uint64_t value) {
  return Varint(number << 3) + Varint(value);
}

inline std::string FloatField(uint32_t number, float value) {
  std::string bits(4, '\0');
  std::memcpy(bits.data(), &value, 4);
  return Varint(number << 3 | 5) + bits;
}

// Types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
inline std::string PieceField(std::string_view piece, float score, int type = 1) {
  return BytesField(
      1, BytesField(1, piece) + FloatField(2, score) + IntField(3, static_cast<uint64_t>(type)));
}

}  // namespace attend
