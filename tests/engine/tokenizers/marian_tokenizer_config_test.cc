// What a Marian folder's files say about its tokenizer, and what is told when they are wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/tokenizers/sentencepiece/marian_tokenizer.h"
#include "engine/tokenizers/tokenizer_factory.h"
#include "tests/engine/tokenizers/marian_golden.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// A folder with the golden tokenizer's files, some replaced, some left out (replaced by "-").
class Folder {
 public:
  explicit Folder(std::map<std::string, std::string> replaced) {
    for (const char* name :
         {"config.json", "tokenizer_config.json", "vocab.json", "source.spm", "target.spm"}) {
      if (replaced.count(name) == 0)
        std::filesystem::copy_file(kGolden + "/model/" + name, folder_.Path(name));
    }
    for (const auto& [name, content] : replaced) {
      if (content != "-") folder_.Write(name, content);
    }
  }

  absl::StatusOr<std::unique_ptr<Tokenizer>> Load(LoadReport* report = nullptr) const {
    auto directory = ModelDirectory::Open(folder_.path());
    if (!directory.ok()) return directory.status();
    return LoadTokenizer(*directory, report);
  }

 private:
  const TemporaryFolder folder_;
};

std::unique_ptr<Tokenizer> LoadWithConfig(const std::string& tokenizer_config) {
  auto tokenizer = Folder({{"tokenizer_config.json", tokenizer_config}}).Load();
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
}

TEST(MarianTokenizerConfig, HasTransformersDefaults) {
  for (const std::string config : {"{}", "-"}) {
    const auto tokenizer = Folder({{"tokenizer_config.json", config}}).Load();
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ((*tokenizer)->max_length(), 512);
    EXPECT_EQ((*tokenizer)->source_language(), "");
    EXPECT_THAT((*tokenizer)->Encode("a<pad>b", TextSide::kSource).ids(),
                ElementsAre(8, 319, 22, 0));
  }
}

TEST(MarianTokenizerConfig, ReadsLimitsAndLanguages) {
  EXPECT_EQ(LoadWithConfig(R"({"model_max_length": 100})")->max_length(), 100);
  EXPECT_EQ(
      LoadWithConfig(R"({"model_max_length": 1000000000000000019884624838656})")->max_length(),
      TokenizerConfig::kUnlimited);
  const auto tokenizer = LoadWithConfig(R"({"source_lang": "eng", "target_lang": "ROMANCE"})");
  EXPECT_EQ(tokenizer->source_language(), "en");
  EXPECT_EQ(tokenizer->target_language(), "");
}

TEST(MarianTokenizerConfig, TakesTokensAsObjectsAndAddedOnes) {
  const auto tokenizer = LoadWithConfig(
      R"({"eos_token": {"__type": "AddedToken", "content": "</s>"}, "pad_token": null,
          "added_tokens_decoder": {"317": {"content": ">>fra<<", "special": true}}})");
  EXPECT_THAT(tokenizer->Encode("a >>fra<< a", TextSide::kSource).ids(), ElementsAre(8, 317, 8, 0));
}

TEST(MarianTokenizerConfig, CleansUpSpacesWhenTold) {
  const std::vector<int32_t> ids = {2, 174, 2, 3, 8, 2, 63};  // "▁" "O" "▁" "." "▁a" "▁" "?"
  const auto plain = LoadWithConfig("{}")->Decode(ids, TextSide::kTarget, false);
  const auto cleaned = LoadWithConfig(R"({"clean_up_tokenization_spaces": true})")
                           ->Decode(ids, TextSide::kTarget, false);
  EXPECT_EQ(plain.text, "O . a ?");
  EXPECT_EQ(cleaned.text, "O. a?");
  EXPECT_EQ(cleaned.spans[3], (ByteSpan{1, 2}));
  EXPECT_EQ(cleaned.spans[6], (ByteSpan{4, 5}));
}

// The golden vocabulary with other ids, as JSON; nothing for an id leaves the piece out.
std::string Renumbered(const std::function<std::optional<int64_t>(int64_t)>& renumber) {
  std::string text = "{";
  const Json vocabulary = Json::ReadFile(kGolden + "/model/vocab.json").value();
  const auto entries = *vocabulary.AsIntMap();
  for (const auto& [piece, id] : entries) {
    const auto new_id = renumber(id);
    if (!new_id) continue;
    std::string escaped;
    for (const char c : piece) {
      if (c == '"' || c == '\\') escaped += '\\';
      escaped += c;
    }
    text += (text.size() > 1 ? ",\"" : "\"") + escaped + "\":" + std::to_string(*new_id);
  }
  return text + "}";
}

TEST(MarianTokenizerConfig, KeepsSeparateVocabulariesApart) {
  // The target's counts down, and lacks "\u2581a" (8).
  const Folder folder({{"tokenizer_config.json", R"({"separate_vocabs": true})"},
                       {"target_vocab.json", Renumbered([](int64_t id) -> std::optional<int64_t> {
                          if (id == 8) return std::nullopt;
                          return 319 - id;
                        })}});
  LoadReport report;
  const auto loaded = folder.Load(&report);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Tokenizer& tokenizer = **loaded;
  EXPECT_THAT(tokenizer.Encode("a The", TextSide::kSource).ids(), ElementsAre(8, 7, 0));
  std::vector<int32_t> expected;  // what it lacks is unknown: 1, renumbered
  for (const int32_t id : GoldenTokenizer().Encode("a chat", TextSide::kTarget).ids())
    expected.push_back(id == 8 ? 318 : 319 - id);
  EXPECT_THAT(tokenizer.Encode("a chat", TextSide::kTarget).ids(), ElementsAreArray(expected));
  EXPECT_EQ(tokenizer.eos_id(), 319);
  EXPECT_EQ(tokenizer.Piece(7, TextSide::kSource), "\u2581The");
  EXPECT_EQ(tokenizer.Piece(312, TextSide::kTarget), "\u2581The");
  EXPECT_EQ(tokenizer.Piece(311, TextSide::kTarget), "");
  EXPECT_EQ(tokenizer.Decode({8, 7, 0}, TextSide::kSource, false).text, "a The");
  EXPECT_EQ(tokenizer.Decode({312, 311, 312, 319}, TextSide::kTarget, false).text, "The The");
  EXPECT_EQ(tokenizer.vocab_size(), 320);
  ASSERT_EQ(report.pieces.size(), 2u);
  EXPECT_EQ(report.pieces[1].vocabulary_file, "target_vocab.json");
  EXPECT_EQ(report.pieces[0].num_known, report.pieces[0].num_pieces);
}

// What transformers 4.48.3 gives for each of these folders.
TEST(MarianTokenizerConfig, AddedTokensStandAsTheyAreSpelt) {
  for (const std::map<std::string, std::string>& files :
       {std::map<std::string, std::string>{
            {"tokenizer_config.json",
             R"({"added_tokens_decoder": {"150": {"content": "\u2581for", "special": false}}})"}},
        {{"tokenizer_config.json", "{}"}, {"added_tokens.json", R"({"\u2581for": 150})"}}}) {
    const auto loaded = Folder(files).Load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    const Tokenizer& tokenizer = **loaded;
    const EncodedText encoded = tokenizer.Encode("a\u2581forb", TextSide::kSource);
    EXPECT_THAT(encoded.ids(), ElementsAre(8, 150, 22, 0));
    EXPECT_FALSE(encoded.tokens[1].special);
    EXPECT_EQ(encoded.tokens[1].span, (ByteSpan{1, 7}));
    EXPECT_THAT(tokenizer.Encode("a <pad> b", TextSide::kSource).ids(), ElementsAre(8, 319, 22, 0));
    const struct {
      std::vector<int32_t> ids;
      const char *without_special, *with_special;
    } cases[] = {
        {{8, 150, 22}, "a \u2581for b", "a \u2581for b"},
        {{8, 22, 150, 0}, "a b \u2581for", "a b \u2581for </s>"},
        {{150, 150, 8, 2, 0}, "\u2581for \u2581for a", "\u2581for \u2581for a </s>"},
        {{150, 2, 0}, "\u2581for ", "\u2581for </s>"},
        {{2, 150, 0, 8}, "\u2581for a", "\u2581for </s> a"},
    };
    for (const auto& c : cases) {
      const DecodedText decoded = tokenizer.Decode(c.ids, TextSide::kTarget, false);
      EXPECT_EQ(decoded.text, c.without_special);
      EXPECT_EQ(decoded.spans.back().end, decoded.text.size());
      EXPECT_EQ(tokenizer.Decode(c.ids, TextSide::kTarget, true).text, c.with_special);
    }
    EXPECT_FALSE(tokenizer.IsSpecial(150));
  }
}

TEST(MarianTokenizerConfig, AddedTokensThatCallThemselvesSpecialAreShown) {
  const auto tokenizer = LoadWithConfig(
      R"({"added_tokens_decoder": {"317": {"content": ">>fra<<", "special": true}}})");
  EXPECT_EQ(tokenizer->Decode({8, 317, 22}, TextSide::kTarget, false).text, "a >>fra<< b");
}

TEST(MarianTokenizerConfig, OlderFoldersNameSpecialTokensInAFileOfTheirOwn) {
  const std::string map =
      R"({"eos_token": "</s>", "pad_token": {"content": "<pad>"}, "unk_token": null,
          "additional_special_tokens": [">>fra<<"]})";
  const auto with_map =
      Folder({{"tokenizer_config.json", "{}"}, {"special_tokens_map.json", map}}).Load();
  ASSERT_TRUE(with_map.ok()) << with_map.status();
  EXPECT_THAT((*with_map)->Encode("a >>fra<< a", TextSide::kSource).ids(),
              ElementsAre(8, 317, 8, 0));
  EXPECT_EQ((*with_map)->Decode({8, 317, 22}, TextSide::kTarget, false).text, "a b");
  EXPECT_EQ((*with_map)->Decode({8, 317, 22}, TextSide::kTarget, true).text, "a>>fra<< b");
  // It overrides tokenizer_config.json ...
  const auto overridden = Folder({{"tokenizer_config.json", R"({"pad_token": "<pad>"})"},
                                  {"special_tokens_map.json", R"({"pad_token": "</s>"})"}})
                              .Load();
  ASSERT_TRUE(overridden.ok()) << overridden.status();
  EXPECT_EQ((*overridden)->Decode({8, 319, 22}, TextSide::kTarget, false).text, "a<pad> b");
  // ... but where that one has all in it, nobody looks at the older files, not even at their types.
  const auto newer = Folder({{"tokenizer_config.json", R"({"added_tokens_decoder": {}})"},
                             {"special_tokens_map.json", map},
                             {"added_tokens.json", "[]"}})
                         .Load();
  ASSERT_TRUE(newer.ok()) << newer.status();
  EXPECT_THAT((*newer)->Encode("a >>fra<< a", TextSide::kSource).ids(), ElementsAre(8, 8, 0));
}

TEST(MarianTokenizerConfig, IdsBeyondTheModelAreLeftOutAndReported) {
  const Folder folder({{"tokenizer_config.json", "{}"},
                       {"added_tokens.json", R"({"<extra>": 320})"},
                       {"vocab.json", Renumbered([](int64_t id) { return id == 8 ? 900 : id; })}});
  LoadReport report;
  const auto tokenizer = folder.Load(&report);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 320);
  for (const int32_t id : (*tokenizer)->Encode("a <extra> a", TextSide::kSource).ids())
    EXPECT_LT(id, 320);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_THAT(report.notes[0], HasSubstr("vocab.json: 2 entries left out"));
  EXPECT_THAT(report.notes[0], HasSubstr("900"));
}

TEST(MarianTokenizerConfig, PiecesMustBelongToTheVocabulary) {
  // A good third of the golden pieces.
  const Folder folder({{"tokenizer_config.json", "{}"},
                       {"vocab.json", Renumbered([](int64_t id) -> std::optional<int64_t> {
                          if (id > 1 && id < 319 && id % 3 != 0) return std::nullopt;
                          return id;
                        })}});
  const absl::Status status = folder.Load().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("source.spm: expected a model of which at least half of the pieces are in "
                        "vocab.json, found "));
}

TEST(MarianTokenizerConfig, NamesWhatIsWrong) {
  const struct {
    std::map<std::string, std::string> replaced;
    absl::StatusCode code;
    std::vector<std::string> words;
  } cases[] = {
      {{{"source.spm", "-"}}, absl::StatusCode::kNotFound, {"source.spm"}},
      {{{"target.spm", "-"}}, absl::StatusCode::kNotFound, {"target.spm"}},
      {{{"vocab.json", "-"}}, absl::StatusCode::kNotFound, {"vocab.json"}},
      {{{"tokenizer_config.json", R"({"separate_vocabs": true})"}},
       absl::StatusCode::kNotFound,
       {"target_vocab.json"}},
      {{{"source.spm", "not a model"}}, absl::StatusCode::kDataLoss, {"source.spm"}},
      {{{"vocab.json", "{"}}, absl::StatusCode::kDataLoss, {"vocab.json"}},
      {{{"vocab.json", R"({"</s>": 0})"}, {"tokenizer_config.json", "{}"}},
       absl::StatusCode::kDataLoss,
       {"vocab.json", "<unk>"}},
      {{{"vocab.json", R"({"<unk>": 0})"}, {"tokenizer_config.json", "{}"}},
       absl::StatusCode::kDataLoss,
       {"vocab.json", "</s>"}},
      {{{"vocab.json", R"({"</s>": 0, "<unk>": 320})"}, {"tokenizer_config.json", "{}"}},
       absl::StatusCode::kDataLoss,
       {"vocab.json", "<unk>", "found 320"}},
      {{{"vocab.json", R"({"</s>": 0, "<unk>": 0})"}, {"tokenizer_config.json", "{}"}},
       absl::StatusCode::kDataLoss,
       {"vocab.json", "<unk>"}},
      {{{"tokenizer_config.json", "[]"}}, absl::StatusCode::kDataLoss, {"tokenizer_config.json"}},
      {{{"tokenizer_config.json", R"({"eos_token": 3})"}},
       absl::StatusCode::kDataLoss,
       {"tokenizer_config.json", "eos_token"}},
      {{{"tokenizer_config.json", R"({"model_max_length": 0})"}},
       absl::StatusCode::kDataLoss,
       {"model_max_length"}},
      {{{"tokenizer_config.json", R"({"source_lang": 3})"}},
       absl::StatusCode::kDataLoss,
       {"source_lang"}},
      {{{"tokenizer_config.json", R"({"added_tokens_decoder": {"x": {}}})"}},
       absl::StatusCode::kDataLoss,
       {"added_tokens_decoder"}},
      {{{"tokenizer_config.json",
         R"({"added_tokens_decoder": {"7": {"content": "<x>", "special": true}}})"}},
       absl::StatusCode::kDataLoss,
       {"tokenizer_config.json", "<x>", "7"}},
      {{{"tokenizer_config.json",
         R"({"added_tokens_decoder": {"0": {"content": "</s>", "special": true, "lstrip": true}}})"}},
       absl::StatusCode::kUnimplemented,
       {"lstrip"}},
      {{{"tokenizer_config.json", R"({"added_tokens_decoder": []})"}},
       absl::StatusCode::kDataLoss,
       {"tokenizer_config.json: key 'added_tokens_decoder': expected an object, found an array"}},
      {{{"tokenizer_config.json", R"({"added_tokens_decoder": {"0": "</s>"}})"}},
       absl::StatusCode::kDataLoss,
       {"key 'added_tokens_decoder.0': expected an object, found a string"}},
      {{{"tokenizer_config.json",
         R"({"added_tokens_decoder": {"0": {"content": "</s>", "special": 1}}})"}},
       absl::StatusCode::kDataLoss,
       {"key 'added_tokens_decoder.0.special': expected a boolean, found an integer"}},
      {{{"tokenizer_config.json", R"({"additional_special_tokens": {"a": "b"}})"}},
       absl::StatusCode::kDataLoss,
       {"key 'additional_special_tokens': expected an array, found an object"}},
      {{{"tokenizer_config.json", "{}"}, {"special_tokens_map.json", "[]"}},
       absl::StatusCode::kDataLoss,
       {"special_tokens_map.json: expected an object, found an array"}},
      {{{"tokenizer_config.json", "{}"}, {"special_tokens_map.json", R"({"eos_token": 1})"}},
       absl::StatusCode::kDataLoss,
       {"special_tokens_map.json: key 'eos_token': expected a string, found an integer"}},
      {{{"tokenizer_config.json", "{}"}, {"added_tokens.json", R"({"<x>": "320"})"}},
       absl::StatusCode::kDataLoss,
       {"added_tokens.json: key '<x>': expected an integer, found a string"}},
      {{{"tokenizer_config.json", "{}"}, {"added_tokens.json", R"({"<x>": 7})"}},
       absl::StatusCode::kDataLoss,
       {"added_tokens.json", "<x>", "7"}},
      {{{"config.json", R"({"model_type": "marian", "share_encoder_decoder_embeddings": 1})"}},
       absl::StatusCode::kDataLoss,
       {"config.json: key 'share_encoder_decoder_embeddings': expected a boolean"}},
      {{{"source.spm", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"}},
       absl::StatusCode::kDataLoss,
       {"source.spm: is a Git LFS pointer"}},
      {{{"config.json", R"({"model_type": "quux"})"}},
       absl::StatusCode::kUnimplemented,
       {"quux", "marian"}},
      {{{"config.json", "{}"}}, absl::StatusCode::kDataLoss, {"config.json", "model_type"}},
      {{{"config.json", R"({"model_type": "marian", "vocab_size": "x"})"}},
       absl::StatusCode::kDataLoss,
       {"config.json", "vocab_size"}},
  };
  for (const auto& c : cases) {
    const absl::Status status = Folder(c.replaced).Load().status();
    EXPECT_EQ(status.code(), c.code) << c.words[0] << ": " << status;
    for (const std::string& word : c.words)
      EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }
}

}  // namespace
}  // namespace attend
