// The golden tokenisations of folders without tokenizer.json: what
// transformers' slow tokenizers give, and the properties of spans.
#include "engine/tokenizers/sentencepiece/sentencepiece_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/checkpoint/json.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/tokenizer_factory.h"
#include "tests/engine/text/hostile_texts.h"
#include "tests/engine/tokenizers/model_bytes.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

const std::string kGoldenFolder = ATTEND_SOURCE_DIR "/tests/golden/";

std::vector<int32_t> Ids(const Json& list) {
  std::vector<int32_t> ids;
  const auto values = list.AsInts();
  EXPECT_TRUE(values.ok()) << values.status();
  if (!values.ok()) return ids;
  for (const int64_t id : *values) ids.push_back(static_cast<int32_t>(id));
  return ids;
}

std::unique_ptr<Tokenizer> LoadOrFail(const std::string& path) {
  auto directory = ModelDirectory::Open(path);
  EXPECT_TRUE(directory.ok()) << directory.status();
  if (!directory.ok()) return nullptr;
  LoadReport report;
  auto loaded = LoadTokenizer(*directory, &report);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(report.notes.empty()) << report.notes[0];
  return loaded.ok() ? std::move(*loaded) : nullptr;
}

// The tokenizer of a golden folder as if it had no tokenizer.json.
std::unique_ptr<Tokenizer> LoadGolden(const std::string& family) {
  const TemporaryFolder folder;
  for (const auto& file : std::filesystem::directory_iterator(kGoldenFolder + family + "/model")) {
    const std::string name = file.path().filename().string();
    if (name != "tokenizer.json") std::filesystem::create_symlink(file.path(), folder.Path(name));
  }
  return LoadOrFail(folder.path());
}

const Json& SlowGolden() {
  static const Json* const json =
      new Json(*Json::ReadFile(kGoldenFolder + "slow_tokenization.json", uint64_t{64} << 20));
  return *json;
}

std::vector<std::string> SlowTexts() {
  std::vector<std::string> texts;
  for (const Json& text : SlowGolden().Get("texts")->Elements()) texts.push_back(*text.AsString());
  return texts;
}

class Golden : public ::testing::TestWithParam<const char*> {
 protected:
  Golden()
      : json_(*Json::ReadFile(absl::StrCat(kGoldenFolder, GetParam(), "/tokenization.json"))),
        tokenizer_(LoadGolden(GetParam())) {}
  void SetUp() override { ASSERT_NE(tokenizer_, nullptr); }

  std::vector<Json> Cases(const char* list) const {
    return json_.Has(list) ? json_.Get(list)->Elements() : std::vector<Json>();
  }
  const TokenizerLanguage* Language(const std::string& name) const {
    for (const TokenizerLanguage& language : tokenizer_->languages()) {
      if (language.name == name) return &language;
    }
    return nullptr;
  }

  const Json json_;
  const std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(Golden, EncodesSourcesAndTargets) {
  ASSERT_GT(Cases("cases").size(), 70u);
  std::set<std::string> fast_only;  // texts that tokenizer.json has another way with
  for (const Json& c : Cases("cases")) {
    SCOPED_TRACE(*c.GetString("text"));
    const std::vector<int32_t> expected = Ids(*c.Get(c.Has("slow_ids") ? "slow_ids" : "ids"));
    const EncodedText encoded = tokenizer_->Encode(*c.GetString("text"), TextSide::kSource);
    EXPECT_THAT(encoded.ids(), ElementsAreArray(expected));
    if (c.Has("slow_ids")) {
      fast_only.insert(*c.GetString("text"));
      continue;
    }
    std::vector<std::string> pieces, expected_pieces;
    for (const EncodedToken& token : encoded.tokens) pieces.push_back(token.piece);
    for (const Json& token : c.Get("tokens")->Elements())
      expected_pieces.push_back(*token.AsString());
    EXPECT_THAT(pieces, ElementsAreArray(expected_pieces));
  }
  ASSERT_GT(Cases("target_cases").size(), 20u);
  for (const Json& c : Cases("target_cases")) {
    if (fast_only.count(*c.GetString("text")) > 0) continue;
    SCOPED_TRACE(*c.GetString("text"));
    EXPECT_THAT(tokenizer_->Encode(*c.GetString("text"), TextSide::kTarget).ids(),
                ElementsAreArray(Ids(*c.Get("ids"))));
  }
}

TEST_P(Golden, EncodesInEveryLanguage) {
  const bool is_multilingual = !tokenizer_->languages().empty();
  EXPECT_EQ(is_multilingual, !Cases("lang_cases").empty());
  for (const Json& c : Cases("lang_cases")) {
    const std::string text = *c.GetString("text");
    const TokenizerLanguage* source = Language(*c.GetString("src_lang"));
    const TokenizerLanguage* target = Language(*c.GetString("tgt_lang"));
    ASSERT_TRUE(source != nullptr && target != nullptr);
    EXPECT_THAT(tokenizer_->EncodeIn(text, TextSide::kSource, *source).ids(),
                ElementsAreArray(Ids(*c.Get("ids"))));
    EXPECT_THAT(tokenizer_->EncodeIn(text, TextSide::kTarget, *target).ids(),
                ElementsAreArray(Ids(*c.Get("target_ids"))));
  }
}

TEST_P(Golden, TruncatesBeforeTheEnd) {
  ASSERT_GT(Cases("truncation_single").size(), 5u);
  for (const Json& c : Cases("truncation_single")) {
    EncodedText encoded = tokenizer_->Encode(*c.GetString("text"), TextSide::kSource);
    TruncateKeepingEnd(&encoded, *c.GetInt("max_length"));
    EXPECT_THAT(encoded.ids(), ElementsAreArray(Ids(*c.Get("ids"))));
  }
}

// White space, and what the models' normalisation (nmt_nfkc) drops or turns
// into white space.
bool MayBeUncovered(char32_t c) {
  return IsWhiteSpace(c) || IsInvisible(c) || c == 0x2581 || c == 0xFFFD;
}

TEST_P(Golden, SpansLieInOrderOnCharactersAndCoverTheText) {
  std::vector<std::string> texts = HostileTexts();
  for (const Json& c : Cases("cases")) texts.push_back(*c.GetString("text"));
  for (const std::string& text : SlowTexts()) texts.push_back(text);
  texts.insert(texts.end(),
               {"  x\u3000<extra_id_0>\u00A0y</s> fr_XX <mask>", "\u2581\u2581a\u2581b",
                "<extra_id_0>\u2581", "__fr__ fra_Latn\u2581"});
  for (const std::string& text : texts) {
    SCOPED_TRACE(text.substr(0, 80));
    std::vector<bool> covered(text.size(), false);
    uint32_t last = 0;
    for (const EncodedToken& token : tokenizer_->Encode(text, TextSide::kSource).tokens) {
      ASSERT_LE(token.span.begin, token.span.end);
      ASSERT_LE(token.span.end, text.size());
      EXPECT_GE(token.span.begin, last);
      last = token.span.begin;
      EXPECT_EQ(CharacterBegin(text, token.span.begin), token.span.begin);
      EXPECT_EQ(CharacterBegin(text, token.span.end), token.span.end);
      const bool is_spelt =
          token.special && text.compare(token.span.begin, token.piece.size(), token.piece) == 0;
      EXPECT_TRUE(!token.special || token.span.empty());
      const size_t size = is_spelt ? token.piece.size() : token.span.size();
      std::fill_n(covered.begin() + token.span.begin, size, true);
    }
    for (uint32_t at = 0; at < text.size();) {
      const CodePoint c = CodePointAt(text, at);
      EXPECT_TRUE(covered[at] || MayBeUncovered(c.value)) << "byte " << at;
      at = c.end;
    }
  }
}

TEST_P(Golden, DecodedSpansPutTogetherAreTheText) {
  std::vector<std::vector<int32_t>> sequences = {{-1, 1 << 30, 7, INT32_MIN, 7}};
  for (const char* list : {"cases", "decode_cases"}) {
    for (const Json& c : Cases(list)) sequences.push_back(Ids(*c.Get("ids")));
  }
  for (const std::vector<int32_t>& ids : sequences) {
    for (const bool keep_special : {false, true}) {
      const DecodedText decoded = tokenizer_->Decode(ids, TextSide::kTarget, keep_special);
      ASSERT_EQ(decoded.spans.size(), ids.size());
      uint32_t last = 0;
      for (const ByteSpan span : decoded.spans) {
        EXPECT_EQ(span.begin, last);
        last = span.end;
        EXPECT_EQ(CharacterBegin(decoded.text, last), last);
      }
      EXPECT_EQ(last, decoded.text.size());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Golden,
                         ::testing::Values("t5_tiny", "flan_t5_tiny", "pegasus_tiny",
                                           "mbart50_tiny", "m2m100_tiny", "nllb_tiny"),
                         [](const auto& family) { return std::string(family.param); });

// This one has only a slow tokenizer: its golden decodings are what is wanted,
// too.
TEST(SentencePieceTokenizer, DecodesM2M100) {
  const auto tokenizer = LoadGolden("m2m100_tiny");
  ASSERT_NE(tokenizer, nullptr);
  const Json golden = *Json::ReadFile(kGoldenFolder + "m2m100_tiny/tokenization.json");
  for (const char* list : {"cases", "decode_cases", "target_cases"}) {
    for (const Json& c : golden.Get(list)->Elements()) {
      const std::vector<int32_t> ids = Ids(*c.Get("ids"));
      EXPECT_EQ(tokenizer->Decode(ids, TextSide::kTarget, false).text, *c.GetString("decoded"));
      if (!c.Has("decoded_with_special")) continue;
      EXPECT_EQ(tokenizer->Decode(ids, TextSide::kTarget, true).text,
                *c.GetString("decoded_with_special"));
    }
  }
}

// A folder of slow_tokenization.json.
std::unique_ptr<Tokenizer> LoadVariant(const Json& variant) {
  const TemporaryFolder folder;
  const std::string base = absl::StrCat(kGoldenFolder, *variant.GetString("base"), "/model/");
  const bool is_bpe = *variant.GetBool("is_bpe");
  for (const std::string name : {"spiece.model", "sentencepiece.bpe.model", "vocab.json"}) {
    const bool is_replaced = is_bpe && name != "spiece.model";
    if (std::filesystem::exists(base + name) && !is_replaced)
      std::filesystem::create_symlink(base + name, folder.Path(name));
  }
  if (is_bpe) {
    std::filesystem::create_symlink(kGoldenFolder + "sentencepiece/bpe.model",
                                    folder.Path("sentencepiece.bpe.model"));
  }
  const Json config = *Json::ReadFile(base + "config.json");
  folder.Write("config.json",
               absl::StrCat(R"({"model_type": ")", *config.GetString("model_type"),
                            R"(", "vocab_size": )", *variant.GetInt("vocab_size"), "}"));
  const Json files = *variant.Get("files");
  for (const std::string& name : files.Keys()) folder.Write(name, *files.GetString(name));
  return LoadOrFail(folder.path());
}

TEST(SentencePieceTokenizer, GivesWhatSlowTokenizersGive) {
  const std::vector<std::string> texts = SlowTexts();
  ASSERT_GT(texts.size(), 100u);
  for (const Json& variant : SlowGolden().Get("variants")->Elements()) {
    SCOPED_TRACE(*variant.GetString("name"));
    const auto tokenizer = LoadVariant(variant);
    if (tokenizer == nullptr) continue;
    EXPECT_EQ(tokenizer->vocab_size(), *variant.GetInt("vocab_size"));
    for (const int32_t id : Ids(*variant.Get("special_ids"))) EXPECT_TRUE(tokenizer->IsSpecial(id));
    const std::vector<Json> cases = variant.Get("cases")->Elements();
    ASSERT_EQ(cases.size(), texts.size());
    for (size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE(texts[i]);
      EXPECT_THAT(tokenizer->Encode(texts[i], TextSide::kSource).ids(),
                  ElementsAreArray(Ids(*cases[i].Get("ids"))));
      if (!cases[i].Has("target_ids")) continue;
      EXPECT_THAT(tokenizer->Encode(texts[i], TextSide::kTarget).ids(),
                  ElementsAreArray(Ids(*cases[i].Get("target_ids"))));
    }
    for (const Json& c : variant.Get("decode_cases")->Elements()) {
      const std::vector<int32_t> ids = Ids(*c.Get("ids"));
      SCOPED_TRACE(::testing::PrintToString(ids));
      EXPECT_EQ(tokenizer->Decode(ids, TextSide::kTarget, false).text, *c.GetString("decoded"));
      EXPECT_EQ(tokenizer->Decode(ids, TextSide::kTarget, true).text,
                *c.GetString("decoded_with_special"));
    }
  }
}

TEST(SentencePieceTokenizer, KnowsItsLanguages) {
  const auto nllb = LoadGolden("nllb_tiny");
  ASSERT_NE(nllb, nullptr);
  std::vector<std::string> codes;
  for (const TokenizerLanguage& language : nllb->languages()) {
    codes.push_back(language.code);
    EXPECT_EQ(nllb->Piece(language.id, TextSide::kTarget), language.name);
    EXPECT_TRUE(nllb->IsSpecial(language.id));
  }
  EXPECT_THAT(codes, ElementsAre("de", "en", "fr", "zh-Hans", "ar"));
  EXPECT_EQ(nllb->source_language(), "en");
  EXPECT_EQ(nllb->target_language(), "fr");
  const auto m2m100 = LoadGolden("m2m100_tiny");
  ASSERT_NE(m2m100, nullptr);
  ASSERT_EQ(m2m100->languages().size(), 100u);
  const TokenizerLanguage& first = m2m100->languages()[0];
  EXPECT_EQ(first.name, "af");
  EXPECT_EQ(m2m100->Piece(first.id, TextSide::kTarget), "__af__");
  EXPECT_TRUE(m2m100->IsSpecial(first.id));
  const auto mbart = LoadGolden("mbart50_tiny");
  ASSERT_NE(mbart, nullptr);
  EXPECT_EQ(mbart->languages().size(), 52u);
  const auto t5 = LoadGolden("t5_tiny");
  ASSERT_NE(t5, nullptr);
  EXPECT_TRUE(t5->languages().empty());
  EXPECT_EQ(t5->source_language(), "");
}

// Both tokens that close a text stay.
TEST(SentencePieceTokenizer, TruncatesBeforeALanguageAtTheEnd) {
  for (const Json& variant : SlowGolden().Get("variants")->Elements()) {
    if (*variant.GetString("name") != "mbart bare") continue;
    const auto tokenizer = LoadVariant(variant);
    ASSERT_NE(tokenizer, nullptr);
    EncodedText text = tokenizer->Encode("The cat sat on the mat.", TextSide::kSource);
    const std::vector<int32_t> ids = text.ids();
    ASSERT_GT(ids.size(), 5u);
    const std::vector<int32_t> closing(ids.end() - 2, ids.end());
    TruncateKeepingEnd(&text, 4);
    EXPECT_THAT(text.ids(), ElementsAre(ids[0], ids[1], closing[0], closing[1]));
    TruncateKeepingEnd(&text, 2);
    EXPECT_THAT(text.ids(), ElementsAreArray(closing));
    TruncateKeepingEnd(&text, 1);
    EXPECT_THAT(text.ids(), ElementsAre(closing[1]));
    return;
  }
  FAIL() << "no such variant";
}

struct BadFolder {
  const char* base;
  std::vector<std::pair<std::string, std::string>> files;  // replaced; empty: taken away
  absl::StatusCode code;
  std::vector<std::string> words;
};

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadBad(const BadFolder& bad, LoadReport* report) {
  const TemporaryFolder folder;
  const std::string base = absl::StrCat(kGoldenFolder, bad.base, "/model/");
  for (const char* name :
       {"spiece.model", "sentencepiece.bpe.model", "vocab.json", "config.json"}) {
    const bool is_replaced = std::any_of(bad.files.begin(), bad.files.end(),
                                         [&](const auto& file) { return file.first == name; });
    if (!is_replaced && std::filesystem::exists(base + name))
      std::filesystem::create_symlink(base + name, folder.Path(name));
  }
  for (const auto& [name, content] : bad.files) {
    if (!content.empty()) folder.Write(name, content);
  }
  const auto directory = ModelDirectory::Open(folder.path());
  if (!directory.ok()) return directory.status();
  return LoadTokenizer(*directory, report);
}

TEST(SentencePieceTokenizer, NamesWhatIsWrong) {
  using Code = absl::StatusCode;
  const std::string config = "tokenizer_config.json", spm = "sentencepiece.bpe.model";
  const std::string nllb = R"({"tokenizer_class": "NllbTokenizer")";
  const BadFolder cases[] = {
      {"t5_tiny", {{"spiece.model", ""}}, Code::kNotFound, {"spiece.model"}},
      {"nllb_tiny", {{spm, "x"}, {config, nllb + "}"}}, Code::kDataLoss, {spm}},
      {"m2m100_tiny", {{"vocab.json", ""}}, Code::kNotFound, {"vocab.json"}},
      {"m2m100_tiny",
       {{"vocab.json", R"({"a": 0, "b": 1})"}},
       Code::kFailedPrecondition,
       {spm, "vocab.json", "different checkpoints"}},
      {"t5_tiny",
       {{"config.json", R"({"model_type": "t5", "vocab_size": 300})"}},
       Code::kFailedPrecondition,
       {"spiece.model", "300", "330"}},
      {"t5_tiny",
       {{"config.json", R"({"model_type": "t5", "vocab_size": "x"})"}},
       Code::kDataLoss,
       {"config.json", "vocab_size"}},
      {"t5_tiny",
       {{config, R"({"tokenizer_class": "BertTokenizer"})"}},
       Code::kUnimplemented,
       {config, "BertTokenizer", "T5Tokenizer"}},
      {"t5_tiny", {{config, R"({"extra_ids": -1})"}}, Code::kDataLoss, {config, "extra_ids"}},
      {"t5_tiny",
       {{config, R"({"extra_ids": 1000000000})"}},
       Code::kDataLoss,
       {config, "extra_ids"}},
      {"t5_tiny",
       {{config, R"({"additional_special_tokens": ["<extra_id_0>"], "extra_ids": 7})"}},
       Code::kFailedPrecondition,
       {config, "extra_ids", "7"}},
      {"t5_tiny", {{config, R"({"legacy": "yes"})"}}, Code::kDataLoss, {config, "legacy"}},
      {"t5_tiny",
       {{"added_tokens.json", R"({"<x>": -4})"}},
       Code::kDataLoss,
       {"added_tokens.json", "<x>", "-4"}},
      {"t5_tiny",
       {{config, R"({"added_tokens_decoder": {"340": {"content": "x", "single_word": true}}})"}},
       Code::kUnimplemented,
       {config, "340", "single_word"}},
      {"pegasus_tiny", {{config, R"({"offset": -3})"}}, Code::kDataLoss, {config, "offset"}},
      {"pegasus_tiny",
       {{config, R"({"additional_special_tokens": ["<unk_7>"]})"}},
       Code::kDataLoss,
       {config, "<unk_7>"}},
      {"mbart50_tiny",
       {{config, R"({"src_lang": "tlh_XX", "tokenizer_class": "MBartTokenizer"})"}},
       Code::kFailedPrecondition,
       {config, "src_lang", "tlh_XX", "25"}},
      {"m2m100_tiny",
       {{config, R"({"tgt_lang": "fr_XX"})"}},
       Code::kFailedPrecondition,
       {config, "tgt_lang", "fr_XX", "100"}},
      {"m2m100_tiny",
       {{config, R"({"language_codes": "klingon"})"}},
       Code::kUnimplemented,
       {config, "language_codes", "klingon"}},
      {"nllb_tiny",
       {{config, nllb + R"(, "legacy_behaviour": 1})"}},
       Code::kDataLoss,
       {config, "legacy_behaviour"}},
  };
  for (const BadFolder& bad : cases) {
    const absl::Status status = LoadBad(bad, nullptr).status();
    EXPECT_EQ(status.code(), bad.code) << bad.words[0] << ": " << status;
    for (const std::string& word : bad.words)
      EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }
}

// A checkpoint whose embeddings were cut down: what lies behind them is no token.
TEST(SentencePieceTokenizer, LeavesOutTokensWithoutEmbeddings) {
  LoadReport report;
  const auto tokenizer = LoadBad({"t5_tiny",
                                  {{"config.json", R"({"model_type": "t5", "vocab_size": 331})"},
                                   {"tokenizer_config.json", R"({"extra_ids": 2})"}},
                                  absl::StatusCode::kOk,
                                  {}},
                                 &report);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 331);
  EXPECT_EQ((*tokenizer)->Piece(330, TextSide::kSource), "<extra_id_1>");
  for (const int32_t id : (*tokenizer)->Encode("<extra_id_0><extra_id_1>", TextSide::kSource).ids())
    EXPECT_LT(id, 331);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_THAT(report.notes[0], HasSubstr("<extra_id_0>"));
}

}  // namespace
}  // namespace attend
