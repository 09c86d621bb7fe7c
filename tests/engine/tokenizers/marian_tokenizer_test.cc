// The golden tokenisations, and the properties of spans over golden and hostile texts.
#include "engine/tokenizers/sentencepiece/marian_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/text/unicode.h"
#include "tests/engine/text/hostile_texts.h"
#include "tests/engine/tokenizers/marian_golden.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

const Json& Golden() {
  static const Json* const json = new Json(*Json::ReadFile(kGolden + "/tokenization.json"));
  return *json;
}

std::vector<int32_t> Ids(const Json& list) {
  std::vector<int32_t> ids;
  const auto values = list.AsInts();
  EXPECT_TRUE(values.ok());
  for (const int64_t id : *values) ids.push_back(static_cast<int32_t>(id));
  return ids;
}

std::string Decoded(const std::vector<int32_t>& ids, TextSide side, bool keep_special) {
  return GoldenTokenizer().Decode(ids, side, keep_special).text;
}

TEST(MarianTokenizerGolden, EncodesAndDecodesSources) {
  const std::vector<Json> cases = Golden().Get("cases")->Elements();
  ASSERT_GT(cases.size(), 70u);
  for (const Json& c : cases) {
    const std::string text = *c.GetString("text");
    SCOPED_TRACE(text);
    const EncodedText encoded = GoldenTokenizer().Encode(text, TextSide::kSource);
    const std::vector<int32_t> ids = Ids(*c.Get("ids"));
    EXPECT_THAT(encoded.ids(), ElementsAreArray(ids));
    std::vector<std::string> pieces, expected_pieces;
    for (const EncodedToken& token : encoded.tokens) pieces.push_back(token.piece);
    for (const Json& token : c.Get("tokens")->Elements())
      expected_pieces.push_back(*token.AsString());
    EXPECT_THAT(pieces, ElementsAreArray(expected_pieces));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, false), *c.GetString("decoded"));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, true), *c.GetString("decoded_with_special"));
    EXPECT_EQ(Decoded(ids, TextSide::kSource, false), *c.GetString("decoded_source"));
  }
}

TEST(MarianTokenizerGolden, EncodesAndDecodesTargets) {
  const std::vector<Json> cases = Golden().Get("target_cases")->Elements();
  ASSERT_GT(cases.size(), 20u);
  for (const Json& c : cases) {
    SCOPED_TRACE(*c.GetString("text"));
    const std::vector<int32_t> ids = Ids(*c.Get("ids"));
    EXPECT_THAT(GoldenTokenizer().Encode(*c.GetString("text"), TextSide::kTarget).ids(),
                ElementsAreArray(ids));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, false), *c.GetString("decoded"));
  }
}

TEST(MarianTokenizerGolden, DecodesArbitraryIds) {
  const std::vector<Json> cases = Golden().Get("decode_cases")->Elements();
  ASSERT_GT(cases.size(), 10u);
  for (const Json& c : cases) {
    const std::vector<int32_t> ids = Ids(*c.Get("ids"));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, false), *c.GetString("decoded"));
    EXPECT_EQ(Decoded(ids, TextSide::kTarget, true), *c.GetString("decoded_with_special"));
  }
}

TEST(MarianTokenizerGolden, TruncatesBeforeTheEnd) {
  const std::vector<Json> cases = Golden().Get("truncation_single")->Elements();
  ASSERT_GT(cases.size(), 5u);
  for (const Json& c : cases) {
    EncodedText encoded = GoldenTokenizer().Encode(*c.GetString("text"), TextSide::kSource);
    TruncateKeepingEnd(&encoded, *c.GetInt("max_length"));
    EXPECT_THAT(encoded.ids(), ElementsAreArray(Ids(*c.Get("ids"))));
  }
}

std::vector<std::string> AllTexts() {
  std::vector<std::string> texts = HostileTexts();
  for (const char* list : {"cases", "target_cases", "truncation_single"}) {
    for (const Json& c : Golden().Get(list)->Elements()) texts.push_back(*c.GetString("text"));
  }
  return texts;
}

// White space, and what the models' normalisation (nmt_nfkc) drops or turns into white space.
bool MayBeUncovered(char32_t c) {
  return IsWhiteSpace(c) || IsInvisible(c) || c == 0x2581 || c == 0xFFFD;
}

TEST(MarianTokenizerSpans, LieInOrderOnCharactersAndCoverTheText) {
  for (const std::string& text : AllTexts()) {
    if (text.find(">>") != std::string::npos) continue;  // language codes are taken out
    for (const TextSide side : {TextSide::kSource, TextSide::kTarget}) {
      SCOPED_TRACE(text.substr(0, 80));
      std::vector<bool> covered(text.size(), false);
      uint32_t last = 0;
      for (const EncodedToken& token : GoldenTokenizer().Encode(text, side).tokens) {
        ASSERT_LE(token.span.begin, token.span.end);
        ASSERT_LE(token.span.end, text.size());
        EXPECT_GE(token.span.begin, last);
        last = token.span.begin;
        EXPECT_EQ(CharacterBegin(text, token.span.begin), token.span.begin);
        EXPECT_EQ(CharacterBegin(text, token.span.end), token.span.end);
        if (!token.special) {
          std::fill(covered.begin() + token.span.begin, covered.begin() + token.span.end, true);
          continue;
        }
        EXPECT_TRUE(token.span.empty());
        if (token.span.begin < text.size()) {
          std::fill_n(covered.begin() + token.span.begin, token.piece.size(), true);  // spelt out
        }
      }
      for (uint32_t at = 0; at < text.size();) {
        const CodePoint c = CodePointAt(text, at);
        EXPECT_TRUE(covered[at] || MayBeUncovered(c.value)) << "byte " << at;
        at = c.end;
      }
    }
  }
}

TEST(MarianTokenizerSpans, HoldWhatThePieceSpells) {
  // ASCII is normalised to itself, so the slice is the piece without its "\u2581".
  for (const std::string& text : AllTexts()) {
    const auto is_plain = [](char c) { return c >= ' ' && c < 0x7F; };
    if (!std::all_of(text.begin(), text.end(), is_plain)) continue;
    SCOPED_TRACE(text.substr(0, 80));
    for (const EncodedToken& token : GoldenTokenizer().Encode(text, TextSide::kSource).tokens) {
      if (token.special || token.piece == "<unk>") continue;
      std::string spelt = token.piece;
      if (spelt.compare(0, kSpaceSymbol.size(), kSpaceSymbol) == 0)
        spelt.erase(0, kSpaceSymbol.size());
      if (spelt.empty()) continue;
      EXPECT_EQ(text.substr(token.span.begin, token.span.size()), spelt);
    }
  }
}

TEST(MarianTokenizerSpans, LeadThroughNormalisationAndLanguageCodes) {
  const std::string text = ">>fra<< The \uFB01x >>no<< \uFF26.\nA";
  std::vector<std::pair<std::string, std::string>> tokens;
  for (const EncodedToken& token :
       GoldenTokenizer().Encode("\n" + text, TextSide::kSource).tokens) {
    tokens.emplace_back(token.piece, ("\n" + text).substr(token.span.begin, token.span.size()));
  }
  // The line break stands in front, so the first code is no token; the greedy pattern reaches the
  // last "<<".
  ASSERT_GE(tokens.size(), 5u);
  EXPECT_THAT(tokens,
              ElementsAre(std::pair("\u2581", ""), std::pair("F", "\uFF26"), std::pair(".", "."),
                          std::pair("\u2581", "\n"), std::pair("A", "A"), std::pair("</s>", "")));
  const EncodedText coded = GoldenTokenizer().Encode(">>fra<< The", TextSide::kSource);
  ASSERT_THAT(coded.ids(), ElementsAre(317, 7, 0));
  EXPECT_TRUE(coded.tokens[0].special);
  EXPECT_EQ(coded.tokens[1].span, (ByteSpan{8, 11}));
  EXPECT_EQ(coded.tokens[2].span, (ByteSpan{11, 11}));
}

TEST(MarianTokenizerSpans, DecodedSpansPutTogetherAreTheText) {
  std::vector<std::vector<int32_t>> sequences;
  for (const std::string& text : AllTexts())
    sequences.push_back(GoldenTokenizer().Encode(text, TextSide::kTarget).ids());
  for (const Json& c : Golden().Get("decode_cases")->Elements())
    sequences.push_back(Ids(*c.Get("ids")));
  sequences.push_back({-1, 320, 1 << 30, 7, INT32_MIN, 7});
  for (const std::vector<int32_t>& ids : sequences) {
    for (const bool keep_special : {false, true}) {
      const DecodedText decoded = GoldenTokenizer().Decode(ids, TextSide::kTarget, keep_special);
      ASSERT_EQ(decoded.spans.size(), ids.size());
      uint32_t last = 0;
      for (size_t i = 0; i < ids.size(); ++i) {
        EXPECT_EQ(decoded.spans[i].begin, last);
        last = decoded.spans[i].end;
        EXPECT_EQ(CharacterBegin(decoded.text, last), last);
        const bool is_skipped = !keep_special && (ids[i] == 0 || ids[i] == 319);
        EXPECT_TRUE(!is_skipped || decoded.spans[i].empty());
      }
      EXPECT_EQ(last, decoded.text.size());
    }
  }
}

TEST(MarianTokenizer, AnswersAboutItsVocabulary) {
  const Tokenizer& tokenizer = GoldenTokenizer();
  EXPECT_EQ(tokenizer.vocab_size(), 320);
  EXPECT_EQ(tokenizer.eos_id(), 0);
  EXPECT_EQ(tokenizer.max_length(), 512);
  EXPECT_EQ(tokenizer.source_language(), "en");
  EXPECT_EQ(tokenizer.target_language(), "fr");
  EXPECT_EQ(tokenizer.Piece(7, TextSide::kTarget), "\u2581The");
  EXPECT_EQ(tokenizer.Piece(320, TextSide::kTarget), "");
  EXPECT_EQ(tokenizer.Piece(-1, TextSide::kSource), "");
  for (const int32_t id : {0, 1, 317, 318, 319}) EXPECT_TRUE(tokenizer.IsSpecial(id)) << id;
  for (const int32_t id : {-1, 2, 7, 316, 320}) EXPECT_FALSE(tokenizer.IsSpecial(id)) << id;
}

TEST(TruncateKeepingEnd, CutsDownToNothing) {
  EncodedText text = GoldenTokenizer().Encode("The cat", TextSide::kSource);
  TruncateKeepingEnd(&text, 100);
  EXPECT_GT(text.tokens.size(), 2u);
  TruncateKeepingEnd(&text, 1);
  EXPECT_THAT(text.ids(), ElementsAre(0));
  TruncateKeepingEnd(&text, 0);
  EXPECT_TRUE(text.tokens.empty());
  TruncateKeepingEnd(&text, -1);
  EXPECT_TRUE(text.tokens.empty());
}

}  // namespace
}  // namespace attend
