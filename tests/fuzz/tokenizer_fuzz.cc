// Feeds bytes to the tokenizers: as a SentencePiece model (after a first byte 'M'), which is then
// run over hard texts; as the tokenizer_config.json (after 'C' and a digit) or vocab.json (after
// 'V') of a folder without tokenizer.json; or as a text for golden tokenizers.
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/text/offset_map.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_model.h"
#include "engine/tokenizers/tokenizer_factory.h"
#include "tests/engine/text/hostile_texts.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

const std::string kGolden = ATTEND_SOURCE_DIR "/tests/golden/";

// The golden folder's files but for tokenizer.json and `name`, which holds `content`.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadWith(const std::string& family,
                                                    const std::string& name,
                                                    std::string_view content) {
  const TemporaryFolder folder;
  for (const char* file : {"config.json", "spiece.model", "sentencepiece.bpe.model", "source.spm",
                           "target.spm", "vocab.json", "tokenizer_config.json"}) {
    const std::string path = kGolden + family + "/model/" + file;
    if (name != file && std::filesystem::exists(path))
      std::filesystem::create_symlink(path, folder.Path(file));
  }
  if (!name.empty()) folder.Write(name, content);
  const auto directory = ModelDirectory::Open(folder.path());
  ATTEND_CHECK(directory.ok(), "the golden model is missing");
  return LoadTokenizer(*directory);
}

const std::vector<std::unique_ptr<Tokenizer>>& GoldenTokenizers() {
  static const auto* const tokenizers = [] {
    auto* loaded = new std::vector<std::unique_ptr<Tokenizer>>();
    for (const char* family : {"marian_tiny", "flan_t5_tiny", "pegasus_tiny", "nllb_tiny"}) {
      auto tokenizer = LoadWith(family, "", "");
      ATTEND_CHECK(tokenizer.ok(), "a golden tokenizer does not load");
      loaded->push_back(std::move(*tokenizer));
    }
    return loaded;
  }();
  return *tokenizers;
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

void RunText(const Tokenizer& tokenizer, std::string_view text) {
  const bool is_valid = IsValidUtf8(text);
  for (const TextSide side : {TextSide::kSource, TextSide::kTarget}) {
    const EncodedText encoded = tokenizer.Encode(text, side);
    bool has_end = false;
    uint32_t last = 0;
    for (const EncodedToken& token : encoded.tokens) {
      has_end = has_end || token.id == tokenizer.eos_id();
      ATTEND_CHECK(token.id >= 0 && token.id < tokenizer.vocab_size(), "no id of the vocabulary");
      ATTEND_CHECK(token.span.begin >= last && token.span.begin <= token.span.end, "spans go back");
      ATTEND_CHECK(token.span.end <= text.size(), "a span leaves the text");
      ATTEND_CHECK(!is_valid || (CharacterBegin(text, token.span.begin) == token.span.begin &&
                                 CharacterBegin(text, token.span.end) == token.span.end),
                   "a span cuts a character");
      last = token.span.begin;
    }
    ATTEND_CHECK(has_end, "no end of sentence");
    const std::vector<int32_t> ids = encoded.ids();
    for (const bool keep_special : {false, true}) {
      const DecodedText decoded = tokenizer.Decode(ids, side, keep_special);
      ATTEND_CHECK(decoded.spans.size() == ids.size() && IsValidUtf8(decoded.text),
                   "bad decoded text");
      ATTEND_CHECK(decoded.spans.back().end == decoded.text.size(),
                   "decoded spans do not cover their text");
    }
  }
}

void RunAsFile(const std::string& family, const std::string& name, std::string_view content) {
  const auto tokenizer = LoadWith(family, name, content);
  if (!tokenizer.ok()) return;
  for (const char* text : {"", " x <extra_id_0> y</s>", "__fr__ fr_XX fra_Latn <mask>\u2581"})
    RunText(**tokenizer, text);
  for (const TokenizerLanguage& language : (*tokenizer)->languages()) {
    ATTEND_CHECK(!language.code.empty() && (*tokenizer)->IsSpecial(language.id), "no language");
  }
}

}  // namespace
}  // namespace attend

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  if (!input.empty() && input.front() == 'M') {
    attend::RunAsModel(input.substr(1));
  } else if (input.size() > 1 && input.front() == 'C') {
    constexpr const char* kFamilies[] = {"t5_tiny",     "pegasus_tiny", "mbart50_tiny",
                                         "m2m100_tiny", "nllb_tiny",    "marian_tiny"};
    attend::RunAsFile(kFamilies[static_cast<uint8_t>(input[1]) % std::size(kFamilies)],
                      "tokenizer_config.json", input.substr(2));
  } else if (!input.empty() && input.front() == 'V') {
    attend::RunAsFile("m2m100_tiny", "vocab.json", input.substr(1));
  } else {
    for (const auto& tokenizer : attend::GoldenTokenizers()) attend::RunText(*tokenizer, input);
  }
  return 0;
}
