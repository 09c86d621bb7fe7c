// Any tokenizer.json is either refused or gives a tokenizer that takes hard texts apart and puts
// them together again; after a first byte 'T' the input is a text for the golden tokenizers.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/check.h"
#include "engine/text/offset_map.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/hf/hf_tokenizer.h"
#include "engine/tokenizers/tokenizer_factory.h"

namespace attend {
namespace {

void RunText(const Tokenizer& tokenizer, std::string_view text, const EncodedText& encoded) {
  const bool is_valid = IsValidUtf8(text);
  uint32_t last = 0;
  for (const EncodedToken& token : encoded.tokens) {
    ATTEND_CHECK(token.id >= 0 && token.id < tokenizer.vocab_size(), "no id of the vocabulary");
    ATTEND_CHECK(token.span.begin >= last && token.span.begin <= token.span.end, "spans go back");
    ATTEND_CHECK(token.span.end <= text.size(), "a span leaves the text");
    ATTEND_CHECK(!is_valid || (CharacterBegin(text, token.span.begin) == token.span.begin &&
                               CharacterBegin(text, token.span.end) == token.span.end),
                 "a span cuts a character");
    last = token.span.begin;
  }
  const std::vector<int32_t> ids = encoded.ids();
  for (const bool keep_special : {false, true}) {
    const DecodedText decoded = tokenizer.Decode(ids, TextSide::kTarget, keep_special);
    ATTEND_CHECK(decoded.spans.size() == ids.size() && IsValidUtf8(decoded.text),
                 "bad decoded text");
    ATTEND_CHECK(ids.empty() || decoded.spans.back().end == decoded.text.size(),
                 "decoded spans do not cover their text");
  }
}

void RunAsTokenizer(std::string_view bytes) {
  const auto json = Json::Parse(bytes, "tokenizer.json");
  if (!json.ok()) return;
  auto parts = HfTokenizerParts::Parse(*json, HfTokenizerConfig(), 2000);
  if (!parts.ok()) return;
  const auto tokenizer = HfTokenizer::Make(HfTokenizerConfig(), *std::move(parts), 2000, nullptr);
  if (!tokenizer.ok()) return;
  for (const std::string_view text : {"", " a  \xC3\xA9\x65\xCC\x81 The cat's 12 <s>x</s>\r\n",
                                      "\xE4\xBD\xA0\x01 \xEF\xAC\x81"}) {
    RunText(**tokenizer, text, (*tokenizer)->Encode(text, TextSide::kSource));
    const EncodedText pair = (*tokenizer)->EncodePair(text, text, 7);
    ATTEND_CHECK(pair.token_types.size() == pair.tokens.size(), "a token has no type");
  }
}

void RunAsText(std::string_view text) {
  static const std::vector<std::unique_ptr<Tokenizer>>& tokenizers = *[] {
    auto* loaded = new std::vector<std::unique_ptr<Tokenizer>>();
    for (const char* family : {"minilm_tiny", "bart_tiny", "t5_tiny", "mbart50_tiny"}) {
      auto directory =
          ModelDirectory::Open(std::string(ATTEND_SOURCE_DIR "/tests/golden/") + family + "/model");
      ATTEND_CHECK(directory.ok(), "a golden folder is missing");
      auto tokenizer = LoadTokenizer(*directory);
      ATTEND_CHECK(tokenizer.ok(), "a golden tokenizer does not load");
      loaded->push_back(*std::move(tokenizer));
    }
    return loaded;
  }();
  for (const auto& tokenizer : tokenizers) {
    RunText(*tokenizer, text, tokenizer->Encode(text, TextSide::kSource));
  }
}

}  // namespace
}  // namespace attend

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  if (!input.empty() && input.front() == 'T') {
    attend::RunAsText(input.substr(1));
  } else {
    attend::RunAsTokenizer(input);
  }
  return 0;
}
