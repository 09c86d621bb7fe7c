// The golden tokenisations of every family whose folder has a tokenizer.json.
#include "tests/engine/tokenizers/hf_golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/text/offset_map.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/tokenizer_factory.h"
#include "tests/engine/text/hostile_texts.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAreArray;

std::vector<int32_t> Ids(const Json& list) {
  std::vector<int32_t> ids;
  const auto values = list.AsInts();
  EXPECT_TRUE(values.ok());
  for (const int64_t id : *values) ids.push_back(static_cast<int32_t>(id));
  return ids;
}

// Special tokens have no text of their own here, and white space at the ends is left out.
ByteSpan ExpectedSpan(const std::string& text, const OffsetMap& map, const Json& offsets,
                      bool special) {
  const std::vector<int64_t> pair = *offsets.AsInts();
  const ByteSpan span = {*map.ToByte(static_cast<uint32_t>(pair[0])),
                         *map.ToByte(static_cast<uint32_t>(pair[1]))};
  const ByteSpan trimmed = TrimWhiteSpace(text, span);
  return special ? ByteSpan{trimmed.begin, trimmed.begin} : trimmed;
}

// ids, pieces (where they are there), spans and the way back.
void ExpectTokens(const Tokenizer& tokenizer, const Json& c) {
  const std::string text = *c.GetString("text");
  SCOPED_TRACE(text);
  const EncodedText encoded = tokenizer.Encode(text, TextSide::kSource);
  const std::vector<int32_t> ids = Ids(*c.Get("ids"));
  ASSERT_THAT(encoded.ids(), ElementsAreArray(ids));
  const OffsetMap map(text, OffsetUnit::kCodePoint);
  const std::vector<Json> pieces =
      c.Has("tokens") ? c.Get("tokens")->Elements() : std::vector<Json>();
  const std::vector<Json> offsets = c.Get("offsets")->Elements();
  for (size_t i = 0; i < ids.size(); ++i) {
    const EncodedToken& token = encoded.tokens[i];
    if (!pieces.empty()) {
      EXPECT_EQ(token.piece, *pieces[i].AsString());
    }
    const std::vector<int64_t> pair = *offsets[i].AsInts();
    if (token.special && pair[0] == 0 && pair[1] == 0) {
      EXPECT_TRUE(token.span.empty());  // of the template
      continue;
    }
    const ByteSpan span = token.special ? token.span : TrimWhiteSpace(text, token.span);
    const ByteSpan expected = ExpectedSpan(text, map, offsets[i], token.special);
    if (span.empty() && expected.empty() && !token.special) continue;
    EXPECT_EQ(span.begin, expected.begin) << "token " << i << " " << token.piece;
    EXPECT_EQ(span.end, expected.end) << "token " << i << " " << token.piece;
  }
  for (const bool keep_special : {false, true}) {
    EXPECT_EQ(tokenizer.Decode(ids, TextSide::kTarget, keep_special).text,
              *c.GetString(keep_special ? "decoded_with_special" : "decoded"));
  }
}

class HfGolden : public ::testing::TestWithParam<const char*> {
 protected:
  const Tokenizer& tokenizer() const { return HfGoldenTokenizer(GetParam()); }
  std::vector<Json> Cases(const char* list) const {
    static std::map<std::string, Json>& files = *new std::map<std::string, Json>();
    const std::string path = HfGoldenFolder(GetParam()) + "/tokenization.json";
    if (files.count(path) == 0) files.emplace(path, *Json::ReadFile(path));
    return files.at(path).Has(list) ? files.at(path).Get(list)->Elements() : std::vector<Json>();
  }
  std::string Decoded(const std::vector<int32_t>& ids, bool keep_special) const {
    return tokenizer().Decode(ids, TextSide::kTarget, keep_special).text;
  }
};

TEST_P(HfGolden, EncodesAndDecodes) {
  const std::vector<Json> cases = Cases("cases");
  ASSERT_GT(cases.size(), 70u);
  for (const Json& c : cases) ExpectTokens(tokenizer(), c);
}

TEST_P(HfGolden, EncodesTargets) {
  for (const Json& c : Cases("target_cases")) {
    SCOPED_TRACE(*c.GetString("text"));
    const std::vector<int32_t> ids = Ids(*c.Get("ids"));
    EXPECT_THAT(tokenizer().Encode(*c.GetString("text"), TextSide::kTarget).ids(),
                ElementsAreArray(ids));
    EXPECT_EQ(Decoded(ids, false), *c.GetString("decoded"));
  }
}

TEST_P(HfGolden, EncodesInLanguages) {
  std::map<std::string, TokenizerLanguage> languages;
  for (const TokenizerLanguage& language : tokenizer().languages()) {
    languages[language.name] = language;
    EXPECT_EQ(tokenizer().Piece(language.id, TextSide::kSource), language.name);
  }
  for (const Json& c : Cases("lang_cases")) {
    const std::string text = *c.GetString("text");
    const auto source = languages.find(*c.GetString("src_lang"));
    const auto target = languages.find(*c.GetString("tgt_lang"));
    ASSERT_TRUE(source != languages.end() && target != languages.end());
    EXPECT_THAT(tokenizer().EncodeIn(text, TextSide::kSource, source->second).ids(),
                ElementsAreArray(Ids(*c.Get("ids"))));
    EXPECT_THAT(tokenizer().EncodeIn(text, TextSide::kTarget, target->second).ids(),
                ElementsAreArray(Ids(*c.Get("target_ids"))));
  }
}

TEST_P(HfGolden, DecodesArbitraryIds) {
  const std::vector<Json> cases = Cases("decode_cases");
  ASSERT_GT(cases.size(), 10u);
  for (const Json& c : cases) {
    const std::vector<int32_t> ids = Ids(*c.Get("ids"));
    EXPECT_EQ(Decoded(ids, false), *c.GetString("decoded"));
    EXPECT_EQ(Decoded(ids, true), *c.GetString("decoded_with_special"));
  }
}

TEST_P(HfGolden, TruncatesAsTransformersDoes) {
  const std::vector<Json> cases = Cases("truncation_single");
  ASSERT_GT(cases.size(), 5u);
  for (const Json& c : cases) {
    EncodedText encoded = tokenizer().Encode(*c.GetString("text"), TextSide::kSource);
    TruncateKeepingEnd(&encoded, *c.GetInt("max_length"));
    EXPECT_THAT(encoded.ids(), ElementsAreArray(Ids(*c.Get("ids"))));
  }
}

TEST_P(HfGolden, EncodesPairs) {
  ASSERT_TRUE(tokenizer().encodes_pairs());
  for (const char* list : {"pair_cases", "truncation_cases"}) {
    for (const Json& c : Cases(list)) {
      const int64_t limit = *c.GetIntOr("max_length", int64_t{1} << 40);
      SCOPED_TRACE(*c.GetString("a") + " | " + *c.GetString("b") + " " + std::to_string(limit));
      const EncodedText encoded =
          tokenizer().EncodePair(*c.GetString("a"), *c.GetString("b"), limit);
      EXPECT_THAT(encoded.ids(), ElementsAreArray(Ids(*c.Get("ids"))));
      EXPECT_THAT(encoded.token_types, ElementsAreArray(Ids(*c.Get("token_type_ids"))));
    }
  }
}

TEST_P(HfGolden, SpansLieInOrderOnCharacters) {
  std::vector<std::string> texts = HostileTexts();
  for (const Json& c : Cases("cases")) texts.push_back(*c.GetString("text"));
  for (const std::string& text : texts) {
    SCOPED_TRACE(text.substr(0, 80));
    uint32_t last = 0;
    const EncodedText encoded = tokenizer().Encode(text, TextSide::kSource);
    for (const EncodedToken& token : encoded.tokens) {
      ASSERT_LE(token.span.begin, token.span.end);
      ASSERT_LE(token.span.end, text.size());
      EXPECT_GE(token.span.begin, last);
      last = token.span.begin;
      EXPECT_EQ(CharacterBegin(text, token.span.begin), token.span.begin);
      EXPECT_EQ(CharacterBegin(text, token.span.end), token.span.end);
      EXPECT_TRUE(!token.special || token.span.empty());
    }
    for (const bool keep_special : {false, true}) {
      const DecodedText decoded =
          tokenizer().Decode(encoded.ids(), TextSide::kTarget, keep_special);
      ASSERT_EQ(decoded.spans.size(), encoded.tokens.size());
      uint32_t end = 0;
      for (const ByteSpan span : decoded.spans) {
        EXPECT_EQ(span.begin, end);
        end = span.end;
        EXPECT_EQ(CharacterBegin(decoded.text, end), end);
      }
      EXPECT_EQ(end, decoded.text.size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, HfGolden,
                         ::testing::Values("minilm_tiny", "bart_tiny", "t5_tiny", "flan_t5_tiny",
                                           "pegasus_tiny", "mbart50_tiny", "nllb_tiny",
                                           "llama_tiny", "vit_gpt2_tiny", "blip_tiny"),
                         [](const auto& test) { return std::string(test.param); });

// What no family's folder uses: see make_tokenizer_variants.py.
class HfVariant : public ::testing::TestWithParam<const char*> {};

TEST_P(HfVariant, EncodesAndDecodes) {
  const std::string from = HfGoldenFolder("tokenizer_variants/") + GetParam();
  const TemporaryFolder folder;
  std::filesystem::copy_file(from + ".json", folder.Path("tokenizer.json"));
  folder.Write("config.json", R"({"model_type": "llama"})");
  const auto directory = ModelDirectory::Open(folder.path());
  ASSERT_TRUE(directory.ok()) << directory.status();
  const auto tokenizer = LoadTokenizer(*directory);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const Json golden = *Json::ReadFile(from + ".cases.json");
  const std::vector<Json> cases = golden.Get("cases")->Elements();
  ASSERT_GT(cases.size(), 70u);
  for (const Json& c : cases) ExpectTokens(**tokenizer, c);
}

INSTANTIATE_TEST_SUITE_P(Stages, HfVariant,
                         ::testing::Values("llama2", "llama3", "end_of_word", "continuing",
                                           "unigram_bytes", "cased_wordpiece"),
                         [](const auto& test) { return std::string(test.param); });

// The same vocabulary in the files of before tokenizer.json.
TEST(HfOlderFiles, GiveTheSameTokens) {
  for (const std::string family : {"minilm_tiny", "blip_tiny", "bart_tiny", "vit_gpt2_tiny"}) {
    SCOPED_TRACE(family);
    const std::string from = HfGoldenFolder(family) + "/model/";
    const TemporaryFolder folder;
    for (const char* name : {"config.json", "tokenizer_config.json", "special_tokens_map.json",
                             "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt"}) {
      if (std::filesystem::exists(from + name))
        std::filesystem::copy_file(from + name, folder.Path(name));
    }
    const auto directory = ModelDirectory::Open(folder.path());
    ASSERT_TRUE(directory.ok()) << directory.status();
    const auto older = LoadTokenizer(*directory);
    ASSERT_TRUE(older.ok()) << older.status();
    const Json golden = *Json::ReadFile(HfGoldenFolder(family) + "/tokenization.json");
    for (const Json& c : golden.Get("cases")->Elements()) {
      const std::vector<int32_t> ids = Ids(*c.Get("ids"));
      SCOPED_TRACE(*c.GetString("text"));
      EXPECT_THAT((*older)->Encode(*c.GetString("text"), TextSide::kSource).ids(),
                  ElementsAreArray(ids));
      EXPECT_EQ((*older)->Decode(ids, TextSide::kTarget, false).text, *c.GetString("decoded"));
      EXPECT_EQ((*older)->Decode(ids, TextSide::kTarget, true).text,
                *c.GetString("decoded_with_special"));
    }
    EXPECT_EQ((*older)->vocab_size(), HfGoldenTokenizer(family).vocab_size());
    EXPECT_EQ((*older)->eos_id(), HfGoldenTokenizer(family).eos_id());
  }
}

}  // namespace
}  // namespace attend
