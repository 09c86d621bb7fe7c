// The only file that sees libsentencepiece.
#include "tests/engine/tokenizers/sentencepiece_oracle.h"

#include <sentencepiece_processor.h>

namespace attend {
namespace {

class Oracle : public SentencePieceOracle {
 public:
  bool Load(const std::string& bytes) { return processor_.LoadFromSerializedProto(bytes).ok(); }

  std::vector<OraclePiece> Encode(const std::string& text) const override {
    std::vector<OraclePiece> pieces;
    const sentencepiece::ImmutableSentencePieceText encoded =
        processor_.EncodeAsImmutableProto(text);
    for (const auto& piece : encoded.pieces())
      pieces.push_back({piece.piece(), piece.begin(), piece.end()});
    return pieces;
  }

  std::string Decode(const std::vector<std::string>& pieces) const override {
    return processor_.DecodePieces(pieces);
  }

 private:
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

std::unique_ptr<SentencePieceOracle> SentencePieceOracle::Parse(const std::string& bytes) {
  auto oracle = std::make_unique<Oracle>();
  if (!oracle->Load(bytes)) return nullptr;
  return oracle;
}

}  // namespace attend
