#include "engine/tokenizers/sentencepiece/sentencepiece_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/text/unicode.h"
#include "tests/engine/text/hostile_texts.h"
#include "tests/engine/tokenizers/model_bytes.h"
#include "tests/engine/tokenizers/sentencepiece_oracle.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kModels[] = {
    ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model/source.spm",
    ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model/target.spm",
    ATTEND_SOURCE_DIR "/models/en-fr/source.spm",
    ATTEND_SOURCE_DIR "/models/en-fr/target.spm",
    ATTEND_SOURCE_DIR "/tests/golden/sentencepiece/bpe.model",
    ATTEND_SOURCE_DIR "/tests/golden/sentencepiece/bpe_bytes.model",
};

std::unique_ptr<SentencePieceModel> ParseOrFail(const std::string& bytes) {
  auto model = SentencePieceModel::Parse(bytes, "test.spm");
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? std::move(*model) : nullptr;
}

std::string Joined(const SentencePieceModel& model, const std::vector<std::string>& pieces) {
  const std::vector<std::string_view> views(pieces.begin(), pieces.end());
  std::string text;
  for (const std::string& written : model.Decode(views)) text += written;
  return text;
}

std::vector<std::string> Texts(const std::vector<SentencePiece>& pieces) {
  std::vector<std::string> texts;
  for (const SentencePiece& piece : pieces) texts.push_back(piece.piece);
  return texts;
}

// Texts put together at random from what is hard.
std::vector<std::string> RandomTexts(int count) {
  const std::vector<std::string> parts = {
      " ",      "  ",     "\n",         "\t",      "a",      "b",      "the ",
      "un ",    "tion",   "\u00E9",     "e\u0301", "\u0301", "\uFB01", "\uFF21",
      "\u4E2D", "\u3002", "\U0001F600", "\u200B",  "\u200D", "\uFEFF", "\u00A0",
      "\u3000", "\u2581", "<",          ">",       "</s>",   "<unk>",  std::string(1, '\0'),
      "\x07",   "\u00DF", "\u00BD",     "\uFDFA",  "\uD55C", "\u1112", "\u1161",
      "'",      "\u2019", ".",          ",",       "\u2026", "\uFFFD", "\u2028",
      "\u0085", "\u00AD", "1",          "23"};
  std::mt19937 random(7);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (int n = static_cast<int>(random() % 24); n >= 0; --n)
      text += parts[random() % parts.size()];
    texts.push_back(text);
  }
  return texts;
}

void ExpectSameAsOracle(const std::string& bytes, const std::vector<std::string>& texts) {
  const auto model = ParseOrFail(bytes);
  const auto oracle = SentencePieceOracle::Parse(bytes);
  ASSERT_NE(model, nullptr);
  ASSERT_NE(oracle, nullptr);
  for (const std::string& text : texts) {
    SCOPED_TRACE(text.substr(0, 80));
    const std::vector<SentencePiece> ours = model->Encode(text);
    const std::vector<OraclePiece> theirs = oracle->Encode(text);
    ASSERT_EQ(ours.size(), theirs.size());
    std::vector<std::string> pieces;
    for (size_t i = 0; i < ours.size(); ++i) {
      EXPECT_EQ(ours[i].piece, theirs[i].piece);
      // Their ends are where the next piece begins; ours leave out characters that normalisation
      // drops in between.
      EXPECT_EQ(ours[i].span.begin, theirs[i].begin);
      pieces.push_back(ours[i].piece);
    }
    EXPECT_EQ(Joined(*model, pieces), oracle->Decode(pieces));
    std::shuffle(pieces.begin(), pieces.end(), std::mt19937(3));
    EXPECT_EQ(Joined(*model, pieces), oracle->Decode(pieces));
  }
}

TEST(SentencePieceModel, GivesWhatLibsentencepieceGives) {
  for (const std::string& path : kModels) {
    SCOPED_TRACE(path);
    const std::string bytes = ReadBytes(path);
    ExpectSameAsOracle(bytes, HostileTexts());
    ExpectSameAsOracle(bytes, RandomTexts(500));
  }
}

// A model with every type of piece and switch; ties between segmentations on purpose.
std::string OddModel(bool add_dummy_prefix, bool remove_extra_whitespaces,
                     bool whitespace_as_suffix, bool byte_fallback, uint64_t model_type = 1) {
  std::string model = PieceField("<unk>", 0, 2) + PieceField("<s>", 0, 3) +
                      PieceField("</s>", 0, 3) + PieceField("\u2581", -1) + PieceField("a", -2) +
                      PieceField("b", -2) + PieceField("ab", -4) + PieceField("ba", -4) +
                      PieceField("aba", -6) + PieceField("\u2581a", -3) +
                      PieceField("a\u2581", -3) + PieceField("bb", -1, 5) +
                      PieceField("the ", -1, 4) + PieceField("<x>", 0, 4) +
                      PieceField("\u00E9", -3.25f) + PieceField("e", -3) + PieceField(" ", -5);
  if (byte_fallback) {
    for (int byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof(name), "<0x%02X>", byte);
      model += PieceField(name, 0, 6);
    }
  }
  model += BytesField(2, IntField(3, model_type) + IntField(24, whitespace_as_suffix) +
                             IntField(35, byte_fallback) + BytesField(44, " ?? "));
  model += BytesField(3, IntField(3, add_dummy_prefix) + IntField(4, remove_extra_whitespaces));
  return model;
}

TEST(SentencePieceModel, GivesTheSameForEverySwitch) {
  std::vector<std::string> texts = RandomTexts(300);
  for (const char* text : {"abababa", "bbabbb", "the <x>the x", "  a  b  ", "a b ",
                           "\u00E9e\u4E2D\u4E2D", "<0xE9><s>", "aa\u2581\u2581"}) {
    texts.push_back(text);
  }
  for (int switches = 0; switches < 32; ++switches) {
    SCOPED_TRACE(switches);
    const uint64_t model_type = switches & 16 ? 2 : 1;
    ExpectSameAsOracle(OddModel(switches & 1, switches & 2, switches & 4, switches & 8, model_type),
                       texts);
  }
}

// BPE models whose pieces are drawn at random from all short strings of three letters: scores with
// many ties, pieces that no join reaches, and unused ones in every place.
TEST(SentencePieceModel, JoinsInTheOrderOfTheLibrary) {
  std::mt19937 random(5);
  const auto draw = [&](size_t length) {
    std::string text;
    while (text.size() < length) text.push_back("abc"[random() % 3]);
    return text;
  };
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    std::set<std::string> chosen;
    for (int i = 0; i < 60; ++i) chosen.insert(draw(1 + random() % 6));
    std::string model = PieceField("<unk>", 0, 2) + PieceField("\u2581", -1);
    for (const std::string& piece : chosen) {
      const int type = random() % 4 == 0 ? 5 : random() % 20 == 0 ? 4 : 1;
      model += PieceField(piece, -static_cast<float>(random() % 8), type);
    }
    model += BytesField(2, IntField(3, 2));
    std::vector<std::string> texts;
    for (int i = 0; i < 100; ++i) texts.push_back(draw(random() % 40) + " " + draw(random() % 40));
    ExpectSameAsOracle(model, texts);
  }
}

// Work that grew with the square of the length would take hours here.
TEST(SentencePieceModel, BpeIsNearLinear) {
  const auto model = ParseOrFail(OddModel(true, true, false, false, 2));
  std::string text;
  while (text.size() < 2'000'000) text += "abbaababb";
  size_t size = 0;
  for (const SentencePiece& piece : model->Encode(text)) size += piece.piece.size();
  EXPECT_EQ(size, text.size() + kSpaceSymbol.size());
}

TEST(SentencePieceModel, DecodesByteRunsAsTheLibraryDoes) {
  const std::string bytes = OddModel(true, true, false, true);
  const auto model = ParseOrFail(bytes);
  const auto oracle = SentencePieceOracle::Parse(bytes);
  ASSERT_NE(oracle, nullptr);
  const std::vector<std::vector<std::string>> cases = {
      {"<0xE4>", "<0xB8>", "<0xAD>"},
      {"<0xE4>", "<0xB8>"},
      {"<0xE4>", "a", "<0xAD>"},
      {"<0xFF>", "<0x41>"},
      {"<s>", "\u2581a", "</s>"},
      {"<unk>", "\u2581a", "\u2581"},
      {"\u2581", "\u2581", "a"},
      {"<0xED>", "<0xA0>", "<0x80>"},
      {"zzz", "\u2581zz"},
      {"<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "<0xC3>"}};
  for (const auto& pieces : cases) EXPECT_EQ(Joined(*model, pieces), oracle->Decode(pieces));
}

TEST(SentencePieceModel, PiecesOfOneCharacterShareItsBytes) {
  const auto model = ParseOrFail(ReadBytes(kModels[0]));
  const std::vector<SentencePiece> pieces =
      model->Encode("x \uFB01n");  // the ligature becomes "f" and "i"
  ASSERT_THAT(Texts(pieces), ElementsAre("\u2581", "x", "\u2581f", "in"));
  EXPECT_EQ(pieces[1].span, (ByteSpan{0, 1}));
  EXPECT_EQ(pieces[2].span, (ByteSpan{1, 5}));
  EXPECT_EQ(pieces[3].span, (ByteSpan{2, 6}));
}

TEST(SentencePieceModel, IllFormedTextBecomesReplacementCharacters) {
  const auto model = ParseOrFail(OddModel(true, true, false, false));
  EXPECT_THAT(Texts(model->Encode("a\xFF"
                                  "a")),
              ElementsAre("\u2581a", "\uFFFD", "a"));
  const std::string bytes = ReadBytes(kModels[0]);
  ExpectSameAsOracle(bytes, {"\xFF", "a\xE4\xB8", "\xC3(", "\xED\xA0\x80", "\xF0\x9F\x98 x"});
}

absl::Status ParseError(const std::string& bytes) {
  return SentencePieceModel::Parse(bytes, "bad.spm").status();
}

TEST(SentencePieceModel, RefusesBrokenModelsByName) {
  const std::string unk = PieceField("<unk>", 0, 2), a = PieceField("a", -1);
  const struct {
    std::string bytes;
    const char* message;
  } cases[] = {
      {"", "holds no pieces"},
      {"this is a text file", "not a SentencePiece model"},
      {unk + a + "\x0A\x7F", "cut short"},
      {unk, "holds no normal pieces"},
      {a, "no piece is the unknown piece"},
      {unk + unk, "a second unknown piece"},
      {unk + a + a, "pieces 1 and 2 are the same"},
      {unk + PieceField("", -1), "piece 1: empty"},
      {unk + PieceField("\xFF", -1), "piece 1: not UTF-8"},
      {unk + PieceField("a", std::numeric_limits<float>::quiet_NaN()), "not a finite number"},
      {unk + PieceField("a", -HUGE_VALF), "not a finite number"},
      {unk + PieceField("a", 0, 7), "unknown type 7"},
      {unk + PieceField(std::string(2000, 'a'), -1), "longer than 1024 bytes"},
      {unk + BytesField(1, IntField(1, 3)), "wrong type"},
      {unk + IntField(1, 3), "not a SentencePiece model"},
      {unk + a + PieceField("<0x41>", 0, 6), "piece 2: not a byte piece"},
      {unk + a + PieceField("<0x41>", 0, 6) + BytesField(2, IntField(35, 1)),
       "not every byte has a piece"},
      {unk + a + BytesField(2, "\xFF"), "trainer_spec is malformed"},
      {unk + a + BytesField(2, BytesField(44, "\xFF")), "unk_surface"},
      {unk + a + BytesField(3, "\xFF"), "normalizer_spec is malformed"},
      {unk + a + BytesField(3, BytesField(2, "abc")), "precompiled_charsmap"},
      {unk + a + BytesField(3, BytesField(2, std::string("\xFF\xFF\xFF\x7F", 4) + "abcd")),
       "precompiled_charsmap"},
      {unk + a + BytesField(3, BytesField(2, std::string("\x04\0\0\0", 4) + "abcdx")),
       "does not end with a NUL"},
  };
  for (const auto& c : cases) {
    const absl::Status status = ParseError(c.bytes);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << c.message << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
    EXPECT_THAT(std::string(status.message()), HasSubstr("bad.spm"));
  }
}

TEST(SentencePieceModel, RefusesWhatItDoesNotKnow) {
  const std::string base = PieceField("<unk>", 0, 2) + PieceField("a", -1);
  for (const uint64_t word_or_char : {3, 4}) {
    const absl::Status type = ParseError(base + BytesField(2, IntField(3, word_or_char)));
    EXPECT_EQ(type.code(), absl::StatusCode::kUnimplemented);
    EXPECT_THAT(std::string(type.message()), HasSubstr("model_type"));
  }
  const absl::Status denormalizer = ParseError(base + BytesField(5, BytesField(2, "x")));
  EXPECT_EQ(denormalizer.code(), absl::StatusCode::kUnimplemented);
}

TEST(SentencePieceModel, LoadsFilesAndMissesThem) {
  EXPECT_TRUE(SentencePieceModel::Load(kModels[0]).ok());
  const auto missing = SentencePieceModel::Load(ATTEND_SOURCE_DIR "/no/such.spm");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("such.spm"));
}

TEST(SentencePieceModel, SurvivesEveryCutAndManyFlippedBytes) {
  // The pieces of a real model with its normalisation table, but few enough to try it thousands of
  // times.
  const std::string whole = OddModel(true, true, false, false);
  for (size_t size = 0; size < whole.size(); ++size) {
    if (auto model = SentencePieceModel::Parse(whole.substr(0, size), "cut.spm"); model.ok())
      (*model)->Encode("aba the b");
  }
  const std::string real = ReadBytes(kModels[0]);
  std::mt19937 random(11);
  int loaded = 0;
  for (int i = 0; i < 200; ++i) {
    std::string broken = real;
    for (int n = 0; n < 20; ++n) broken[random() % broken.size()] = static_cast<char>(random());
    auto model = SentencePieceModel::Parse(broken, "flipped.spm");
    if (!model.ok()) continue;
    ++loaded;
    for (const std::string& text : HostileTexts()) {
      uint32_t last = 0;
      for (const SentencePiece& piece : (*model)->Encode(text)) {
        ASSERT_GE(piece.span.begin, last);
        ASSERT_LE(piece.span.end, text.size());
        last = piece.span.begin;
      }
    }
  }
  EXPECT_GT(loaded, 20)
      << "most flips land in the normalisation table, which is not parsed at load";
}

TEST(SentencePieceModel, FilesAreBounded) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("source.spm", "");
  std::filesystem::resize_file(path, (uint64_t{32} << 20) + 1);
  const absl::Status status = SentencePieceModel::Load(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(std::string(status.message()),
            "source.spm: expected at most 33554432 bytes, found 33554433");
}

}  // namespace
}  // namespace attend
