// Groups (wire types 3 and 4) are refused: no SentencePiece model has them, and they are the one
// recursive part.
#include "engine/tokenizers/sentencepiece/wire_reader.h"

#include <cstring>

namespace attend {

float WireField::AsFloat() const {
  const auto bits = static_cast<uint32_t>(integer);
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

bool WireReader::ReadVarint(uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) return false;
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

bool WireReader::ReadFixed(int bytes, uint64_t* value) {
  if (rest_.size() < static_cast<size_t>(bytes)) return false;
  *value = 0;
  for (int i = 0; i < bytes; ++i)
    *value |= static_cast<uint64_t>(static_cast<uint8_t>(rest_[i])) << (8 * i);
  rest_.remove_prefix(static_cast<size_t>(bytes));
  return true;
}

bool WireReader::Next(WireField* field) {
  if (!ok_ || rest_.empty()) return false;
  uint64_t tag = 0;
  if (!ReadVarint(&tag) || tag > UINT32_MAX || (tag >> 3) == 0) return Fail();
  field->number = static_cast<uint32_t>(tag >> 3);
  field->integer = 0;
  field->bytes = {};
  switch (tag & 7) {
    case 0:
      field->kind = WireField::Kind::kVarint;
      return ReadVarint(&field->integer) || Fail();
    case 1:
      field->kind = WireField::Kind::kFixed64;
      return ReadFixed(8, &field->integer) || Fail();
    case 2: {
      field->kind = WireField::Kind::kBytes;
      uint64_t size = 0;
      if (!ReadVarint(&size) || size > rest_.size()) return Fail();
      field->bytes = rest_.substr(0, size);
      rest_.remove_prefix(size);
      return true;
    }
    case 5:
      field->kind = WireField::Kind::kFixed32;
      return ReadFixed(4, &field->integer) || Fail();
    default:
      return Fail();
  }
}

}  // namespace attend
