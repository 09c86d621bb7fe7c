// What the files around a fast tokenizer say, and what is told when they are wrong.
#include "engine/tokenizers/hf/hf_tokenizer_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/tokenizers/tokenizer_factory.h"
#include "tests/engine/tokenizers/hf_golden.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A folder of the given files.
class Folder {
 public:
  explicit Folder(const std::map<std::string, std::string>& files) {
    for (const auto& [name, content] : files) folder_.Write(name, content);
  }
  // A golden one, some files replaced.
  Folder(const std::string& family, const std::map<std::string, std::string>& replaced) {
    for (const char* name : {"config.json", "tokenizer_config.json", "tokenizer.json"}) {
      if (replaced.count(name) == 0) {
        std::filesystem::copy_file(HfGoldenFolder(family) + "/model/" + name, folder_.Path(name));
      }
    }
    for (const auto& [name, content] : replaced) folder_.Write(name, content);
  }

  absl::StatusOr<std::unique_ptr<Tokenizer>> Load(LoadReport* report = nullptr) const {
    auto directory = ModelDirectory::Open(folder_.path());
    if (!directory.ok()) return directory.status();
    return LoadTokenizer(*directory, report);
  }
  std::unique_ptr<Tokenizer> MustLoad() const {
    auto tokenizer = Load();
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return std::move(*tokenizer);
  }

 private:
  const TemporaryFolder folder_;
};

constexpr char kLlama[] = R"({"model_type": "llama", "vocab_size": 100})";

// A tokenizer.json with three pieces and one more stage.
std::string WithStage(const std::string& stage) {
  return R"({"model": {"type": "WordPiece", "unk_token": "u", "vocab": {"u": 0, "a": 1, "##b": 2}})" +
         (stage.empty() ? "" : ", " + stage) + "}";
}

TEST(HfTokenizerErrors, NameFileAndKey) {
  struct Case {
    std::string tokenizer_json, message;
    absl::StatusCode code;
  };
  const auto kUnknown = absl::StatusCode::kUnimplemented;
  const auto kCorrupt = absl::StatusCode::kDataLoss;
  const std::vector<Case> cases = {
      {WithStage(R"("normalizer": {"type": "X"})"), "key 'normalizer'", kUnknown},
      {WithStage(
           R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Y"}]})"),
       "key 'normalizer.normalizers[1]'", kUnknown},
      {WithStage(R"("pre_tokenizer": {"type": "UnicodeScripts"})"), "'UnicodeScripts'", kUnknown},
      {WithStage(R"("decoder": {"type": "CTC"})"), "key 'decoder'", kUnknown},
      {WithStage(R"("post_processor": {"type": "Z"})"), "key 'post_processor'", kUnknown},
      {R"({"model": {"type": "WordLevel", "vocab": {}}})", "key 'model'", kUnknown},
      {R"({"model": {"type": "BPE", "dropout": 0.5, "vocab": {}, "merges": []}})",
       "key 'model.dropout'", kUnknown},
      {WithStage(R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}})"),
       "key 'pre_tokenizer.pattern.Regex'", kCorrupt},
      {WithStage(R"("normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"})"),
       "key 'normalizer.precompiled_charsmap'", kCorrupt},
      {WithStage(R"("normalizer": {"type": "Prepend"})"), "key 'normalizer.prepend': missing",
       kCorrupt},
      {WithStage(R"("added_tokens": [{"content": "x", "id": -1}])"), "key 'added_tokens[0]'",
       kCorrupt},
      {WithStage(R"("post_processor": {"type": "TemplateProcessing", "single": []})"),
       "key 'post_processor.single'", kCorrupt},
      {R"({"model": {"type": "Unigram", "vocab": [["a", 0]], "unk_id": 1}})", "key 'model.unk_id'",
       kCorrupt},
      {R"({"model": {"type": "Unigram", "vocab": [["a", 0], ["a", 0]], "unk_id": 1}})",
       "key 'model.vocab[1][0]'", kCorrupt},
      {R"({"model": {"type": "Unigram", "vocab": [], "unk_id": 0}})", "key 'model.vocab'",
       kCorrupt},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]}})", "merge 0",
       kCorrupt},
      {R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b c"]}})",
       "key 'model.merges[0]'", kCorrupt},
      {R"({"model": {"type": "WordPiece", "vocab": {"a": 0}}})", "unknown token '[UNK]'", kCorrupt},
      {"[]", "expected an object", kCorrupt},
      {"{}", "key 'model'", kCorrupt},
      {"{", "not JSON", kCorrupt},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.tokenizer_json);
    const auto tokenizer =
        Folder({{"config.json", kLlama}, {"tokenizer.json", c.tokenizer_json}}).Load();
    EXPECT_EQ(tokenizer.status().code(), c.code) << tokenizer.status();
    EXPECT_THAT(std::string(tokenizer.status().message()),
                AllOf(HasSubstr("tokenizer.json"), HasSubstr(c.message)));
  }
}

TEST(HfTokenizerErrors, TellWhatTheOlderFilesLack) {
  const auto load = [](const std::map<std::string, std::string>& files) {
    return Folder(files).Load().status();
  };
  EXPECT_EQ(load({{"config.json", kLlama}}).code(), absl::StatusCode::kNotFound);
  const absl::Status without_sep =
      load({{"config.json", R"({"model_type": "bert"})"}, {"vocab.txt", "[UNK]\n[CLS]\n"}});
  EXPECT_THAT(std::string(without_sep.message()),
              AllOf(HasSubstr("vocab.txt"), HasSubstr("sep_token")));
  const absl::Status bad_line = load({{"config.json", R"({"model_type": "gpt2"})"},
                                      {"vocab.json", R"({"a": 0})"},
                                      {"merges.txt", "#version: 0.2\na b c\n"}});
  EXPECT_EQ(bad_line.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(bad_line.message()), AllOf(HasSubstr("merges.txt"), HasSubstr("line 2")));
  const absl::Status bad_limit = load({{"config.json", kLlama},
                                       {"tokenizer_config.json", R"({"model_max_length": 0})"},
                                       {"tokenizer.json", WithStage("")}});
  EXPECT_THAT(std::string(bad_limit.message()),
              AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("key 'model_max_length'")));
}

TEST(HfTokenizerConfig, LeavesOutIdsWithoutAnEmbedding) {
  LoadReport report;
  const auto tokenizer =
      Folder({{"config.json", R"({"model_type": "llama", "vocab_size": 2})"},
              {"tokenizer.json",
               WithStage(R"("added_tokens": [{"content": "zz", "id": 7, "special": true}])")}})
          .Load(&report);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ((*tokenizer)->vocab_size(), 2);
  EXPECT_THAT((*tokenizer)->Encode("a", TextSide::kSource).ids(), ElementsAre(1));
  EXPECT_THAT((*tokenizer)->Encode("ab", TextSide::kSource).ids(), ElementsAre(0));
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("1 pieces are left out"), HasSubstr("'zz'")));
  const auto outside =
      Folder(
          {{"config.json", R"({"model_type": "llama", "vocab_size": 2})"},
           {"tokenizer.json",
            WithStage(
                R"("post_processor": {"type": "BertProcessing", "sep": ["s", 9], "cls": ["c", 0]})")}})
          .Load();
  EXPECT_EQ(outside.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(HfTokenizerConfig, CaseIsThatOfTheConfigurationForBert) {
  // tokenizer.json says lower case; transformers' BERT classes take the configuration's word.
  const auto cased =
      Folder("minilm_tiny", {{"tokenizer_config.json", R"({"do_lower_case": false})"}}).MustLoad();
  const auto uncased = Folder("minilm_tiny", {{"tokenizer_config.json", "{}"}}).MustLoad();
  const auto other = Folder("minilm_tiny", {{"tokenizer_config.json",
                                             R"({"do_lower_case": false,
                                                 "tokenizer_class": "PreTrainedTokenizerFast"})"}})
                         .MustLoad();
  const auto ids = [](const Tokenizer& tokenizer) {
    return tokenizer.Encode("The CAT", TextSide::kSource).ids();
  };
  EXPECT_NE(ids(*cased), ids(*uncased));
  EXPECT_EQ(ids(*other), ids(*uncased));
}

TEST(HfTokenizerConfig, SpaceInFrontIsThatOfTheConfiguration) {
  const auto with =
      Folder("bart_tiny", {{"tokenizer_config.json", R"({"add_prefix_space": true})"}}).MustLoad();
  const auto without = Folder("bart_tiny", {{"tokenizer_config.json", "{}"}}).MustLoad();
  EXPECT_EQ(with->Encode("cat", TextSide::kSource).ids(),
            without->Encode(" cat", TextSide::kSource).ids());
  EXPECT_NE(with->Encode("cat", TextSide::kSource).ids(),
            without->Encode("cat", TextSide::kSource).ids());
}

TEST(HfTokenizerConfig, CleansUpSpacesWhenTold) {
  const auto plain = Folder("t5_tiny", {}).MustLoad();
  const auto cleaning =
      Folder("t5_tiny", {{"tokenizer_config.json", R"({"clean_up_tokenization_spaces": true})"}})
          .MustLoad();
  const std::vector<int32_t> ids = plain->Encode("a . b ?", TextSide::kSource).ids();
  EXPECT_EQ(plain->Decode(ids, TextSide::kTarget, false).text, "a . b ?");
  EXPECT_EQ(cleaning->Decode(ids, TextSide::kTarget, false).text, "a. b?");
}

TEST(HfTokenizerConfig, AnswersAboutTheFamilies) {
  const Tokenizer& bert = HfGoldenTokenizer("minilm_tiny");
  EXPECT_EQ(bert.vocab_size(), 390);
  EXPECT_EQ(bert.max_length(), 64);
  EXPECT_EQ(bert.Piece(bert.eos_id(), TextSide::kSource), "[SEP]");
  EXPECT_TRUE(bert.IsSpecial(0));
  EXPECT_FALSE(bert.IsSpecial(50));
  EXPECT_FALSE(bert.IsSpecial(-1));
  EXPECT_EQ(bert.Piece(-1, TextSide::kSource), "");
  EXPECT_TRUE(bert.languages().empty());
  const Tokenizer& t5 = HfGoldenTokenizer("t5_tiny");
  EXPECT_EQ(t5.eos_id(), 1);
  EXPECT_EQ(t5.vocab_size(), 350);
  EXPECT_EQ(t5.max_length(), HfTokenizerConfig::kUnlimited);
  EXPECT_EQ(t5.source_language(), "");
}

TEST(HfTokenizerLanguages, AreThoseWithTokens) {
  const Tokenizer& nllb = HfGoldenTokenizer("nllb_tiny");
  std::vector<std::string> names, codes;
  for (const TokenizerLanguage& language : nllb.languages()) {
    names.push_back(language.name);
    codes.push_back(language.code);
  }
  EXPECT_THAT(names, ElementsAre("deu_Latn", "eng_Latn", "fra_Latn", "zho_Hans", "arb_Arab"));
  EXPECT_THAT(codes, ElementsAre("de", "en", "fr", "zh-Hans", "ar"));
  EXPECT_EQ(nllb.source_language(), "en");
  EXPECT_EQ(nllb.target_language(), "fr");
  const Tokenizer& mbart = HfGoldenTokenizer("mbart50_tiny");
  EXPECT_EQ(mbart.languages().size(), 52u);
  EXPECT_EQ(mbart.languages()[0].name, "ar_AR");
  EXPECT_EQ(mbart.source_language(), "en");
}

TEST(HfTokenizerLanguages, StandBehindTheTextInOlderClasses) {
  const Tokenizer& now = HfGoldenTokenizer("nllb_tiny");
  const std::vector<int32_t> front = now.Encode("Yes.", TextSide::kSource).ids();
  std::vector<int32_t> behind(front.begin() + 1, front.end());
  behind.push_back(front[0]);
  const auto legacy = Folder("nllb_tiny", {{"tokenizer_config.json",
                                            R"({"tokenizer_class": "NllbTokenizer",
                                                "legacy_behaviour": true})"}})
                          .MustLoad();
  EncodedText encoded = legacy->Encode("Yes.", TextSide::kSource);
  EXPECT_EQ(encoded.ids(), behind);
  TruncateKeepingEnd(&encoded, 3);
  EXPECT_THAT(encoded.ids(), ElementsAre(front[1], 2, front[0]));
}

}  // namespace
}  // namespace attend
