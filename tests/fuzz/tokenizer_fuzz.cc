// Feeds bytes to the tokenizer: as a SentencePiece model (after a first byte 'M'), which is then
// run over hard texts, or as a text for the golden model.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/check.h"
#include "engine/text/offset_map.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/sentencepiece_model.h"
#include "engine/tokenizers/tokenizer_factory.h"
#include "tests/engine/text/hostile_texts.h"

namespace attend {
namespace {

const Tokenizer& GoldenTokenizer() {
  static const Tokenizer* const tokenizer = [] {
    auto directory = ModelDirectory::Open(ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model");
    ATTEND_CHECK(directory.ok(), "the golden model is missing");
    auto loaded = LoadTokenizer(*directory);
    ATTEND_CHECK(loaded.ok(), "the golden tokenizer does not load");
    return loaded->release();
  }();
  return *tokenizer;
}

void RunAsModel(std::string_view bytes) {
  const auto model = SentencePieceModel::Parse(bytes, "fuzz.spm");
  if (!model.ok()) return;
  static const std::vector<std::string> texts = HostileTexts();
  for (const std::string& text : texts) {
    const std::vector<SentencePiece> pieces = (*model)->Encode(text);
    std::vector<std::string_view> spelt;
    uint32_t last = 0;
    for (const SentencePiece& piece : pieces) {
      ATTEND_CHECK(piece.span.begin >= last && piece.span.begin <= piece.span.end, "spans go back");
      ATTEND_CHECK(piece.span.end <= text.size(), "a span leaves the text");
      last = piece.span.begin;
      spelt.push_back(piece.piece);
    }
    ATTEND_CHECK((*model)->Decode(spelt).size() == spelt.size(), "a piece was lost in decoding");
  }
}

void RunAsText(std::string_view text) {
  const bool is_valid = IsValidUtf8(text);
  for (const TextSide side : {TextSide::kSource, TextSide::kTarget}) {
    const EncodedText encoded = GoldenTokenizer().Encode(text, side);
    ATTEND_CHECK(!encoded.tokens.empty() && encoded.tokens.back().id == 0, "no end of sentence");
    uint32_t last = 0;
    for (const EncodedToken& token : encoded.tokens) {
      ATTEND_CHECK(token.id >= 0 && token.id < GoldenTokenizer().vocab_size(),
                   "no id of the vocabulary");
      ATTEND_CHECK(token.span.begin >= last && token.span.begin <= token.span.end, "spans go back");
      ATTEND_CHECK(token.span.end <= text.size(), "a span leaves the text");
      ATTEND_CHECK(!is_valid || (CharacterBegin(text, token.span.begin) == token.span.begin &&
                                 CharacterBegin(text, token.span.end) == token.span.end),
                   "a span cuts a character");
      last = token.span.begin;
    }
    const std::vector<int32_t> ids = encoded.ids();
    for (const bool keep_special : {false, true}) {
      const DecodedText decoded = GoldenTokenizer().Decode(ids, side, keep_special);
      ATTEND_CHECK(decoded.spans.size() == ids.size() && IsValidUtf8(decoded.text),
                   "bad decoded text");
      ATTEND_CHECK(decoded.spans.back().end == decoded.text.size(),
                   "decoded spans do not cover their text");
    }
  }
}

}  // namespace
}  // namespace attend

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  if (!input.empty() && input.front() == 'M') {
    attend::RunAsModel(input.substr(1));
  } else {
    attend::RunAsText(input);
  }
  return 0;
}
