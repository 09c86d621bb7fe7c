// The "decoder" of a tokenizer.json: pieces → text, with the token that wrote each byte.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"

namespace attend {

// A piece of text on its way, and for each byte of it the token that it belongs to.
struct DecodedPiece {
  std::string text;
  std::vector<uint32_t> tokens;

  DecodedPiece() = default;
  DecodedPiece(std::string_view bytes, uint32_t token) { Append(bytes, token); }
  void Append(std::string_view bytes, uint32_t token) {
    text.append(bytes);
    tokens.resize(text.size(), token);
  }
  void Append(const DecodedPiece& other) {
    text.append(other.text);
    tokens.insert(tokens.end(), other.tokens.begin(), other.tokens.end());
  }
};

// Immutable, safe from any thread. Tokens never go back from one byte to the next.
class HfDecoder {
 public:
  virtual ~HfDecoder() = default;
  virtual void Decode(std::vector<DecodedPiece>* pieces) const = 0;
};

std::unique_ptr<const HfDecoder> MakeWordPieceDecoder(std::string prefix, bool cleanup);
std::unique_ptr<const HfDecoder> MakeByteLevelDecoder();
// What stands where a file names none: pieces with spaces between them.
std::unique_ptr<const HfDecoder> MakeSpacingDecoder();

// UNIMPLEMENTED for a kind that is not known, DATA_LOSS or INVALID_ARGUMENT for a malformed one.
absl::StatusOr<std::unique_ptr<const HfDecoder>> ReadHfDecoder(const Json& json);

// Replaces each of `from` in `piece`; what is put in belongs to the token of the first byte
// replaced, but where it is a part of `from`, to the tokens of that part.
void ReplaceInPiece(std::string_view from, std::string_view to, DecodedPiece* piece);

}  // namespace attend
