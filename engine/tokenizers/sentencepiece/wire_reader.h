// Just enough of the protocol buffer wire format to read a SentencePiece model: fields one after
// another, every length checked. (libsentencepiece carries and exports a protobuf of its own, which
// aborts in a process that has gRPC's.)
#pragma once

#include <cstdint>
#include <string_view>

namespace attend {

// One field of a message. Which member holds its value depends on the wire type.
struct WireField {
  enum class Kind { kVarint, kFixed32, kFixed64, kBytes };
  uint32_t number = 0;
  Kind kind = Kind::kVarint;
  uint64_t integer = 0;    // kVarint, kFixed32, kFixed64
  std::string_view bytes;  // kBytes; borrows from the message

  bool AsBool() const { return integer != 0; }
  float AsFloat() const;  // of a kFixed32
};

// Iterates over the fields of a serialized message.
//   for (WireReader reader(message); reader.Next(&field);) …   then reader.ok()
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}
  // False at the end and at the first malformed field.
  bool Next(WireField* field);
  bool ok() const { return ok_; }

 private:
  bool ReadVarint(uint64_t* value);
  bool ReadFixed(int bytes, uint64_t* value);
  bool Fail() {
    ok_ = false;
    return false;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace attend
