#include "engine/tokenizers/language_tokens.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/tokenizers/language_code.h"

namespace attend {
namespace {

constexpr LanguageList kLists[] = {LanguageList::kMBart, LanguageList::kMBart50,
                                   LanguageList::kM2M100, LanguageList::kWmt21,
                                   LanguageList::kNllb};

std::vector<TokenizerLanguage> LanguagesOf(LanguageList list, int32_t first_id) {
  std::vector<std::pair<std::string, int32_t>> named;
  for (const std::string_view name : LanguageNames(list)) {
    named.emplace_back(name, first_id + static_cast<int32_t>(named.size()));
  }
  return MakeLanguages(std::move(named));
}

TEST(LanguageNames, AreAsManyAsTheCheckpointsHave) {
  EXPECT_EQ(LanguageNames(LanguageList::kMBart).size(), 25u);
  EXPECT_EQ(LanguageNames(LanguageList::kMBart).back(), "zh_CN");
  EXPECT_EQ(LanguageNames(LanguageList::kMBart50).size(), 52u);
  EXPECT_EQ(LanguageNames(LanguageList::kM2M100).size(), 100u);
  EXPECT_EQ(LanguageNames(LanguageList::kWmt21).size(), 8u);
  EXPECT_EQ(LanguageNames(LanguageList::kNllb).size(), 202u);
}

TEST(LanguageOfToken, UndoesLanguageToken) {
  for (const LanguageList list : kLists) {
    for (const std::string_view name : LanguageNames(list)) {
      EXPECT_EQ(LanguageOfToken(LanguageToken(name)), name);
    }
  }
}

TEST(LanguageOfToken, IsEmptyForOtherTokens) {
  for (const char* token :
       {"",       "<s>", "</s>",     "<mask>",   "<extra_id_0>", "<unk_2>",       "fr",
        "____",   "__",  "__fr_",    "__FR__",   "__abcd__",     "fr_",           "fr_X",
        "fr_XXX", "_XX", "fra_latn", "fra_LATN", "fra_Latin",    "madeupword0001"}) {
    EXPECT_EQ(LanguageOfToken(token), "") << token;
  }
}

TEST(MakeLanguages, GivesEachLanguageACodeOfItsOwn) {
  for (const LanguageList list : kLists) {
    std::set<std::string> codes;
    for (const TokenizerLanguage& language : LanguagesOf(list, 4)) {
      EXPECT_FALSE(language.code.empty()) << language.name;
      EXPECT_EQ(ToLanguageCode(language.code), language.code) << language.name;
      EXPECT_TRUE(codes.insert(language.code).second) << language.code;
    }
  }
}

TEST(MakeLanguages, WritesCodesAsCallersDo) {
  const struct {
    LanguageList list;
    const char* name;
    const char* code;
  } cases[] = {
      {LanguageList::kMBart, "fr_XX", "fr"},      {LanguageList::kMBart50, "de_DE", "de"},
      {LanguageList::kMBart50, "zh_CN", "zh-CN"}, {LanguageList::kM2M100, "ast", "ast"},
      {LanguageList::kM2M100, "ns", "nso"},       {LanguageList::kWmt21, "de", "de"},
      {LanguageList::kNllb, "fra_Latn", "fr"},    {LanguageList::kNllb, "zho_Hant", "zh-Hant"},
      {LanguageList::kNllb, "ace_Latn", "ace"},   {LanguageList::kNllb, "ace_Arab", "ace-Arab"}};
  for (const auto& c : cases) {
    const std::vector<TokenizerLanguage> languages = LanguagesOf(c.list, 0);
    const TokenizerLanguage* language = FindLanguage(languages, c.name);
    ASSERT_NE(language, nullptr) << c.name;
    EXPECT_EQ(language->code, c.code);
  }
}

TEST(MakeLanguages, OrdersByIdAndSpellsOutWhatWouldCollide) {
  const std::vector<TokenizerLanguage> languages =
      MakeLanguages({{"swh_Latn", 9}, {"swa_Latn", 8}, {"ROMANCE", 3}});
  ASSERT_EQ(languages.size(), 3u);
  EXPECT_EQ(languages[0].name, "ROMANCE");
  EXPECT_EQ(languages[0].code, "ROMANCE");
  EXPECT_EQ(languages[1].code, "sw");
  EXPECT_EQ(languages[2].name, "swh_Latn");
  EXPECT_EQ(languages[2].code, "swh-Latn");
  EXPECT_EQ(languages[2].id, 9);
  EXPECT_EQ(FindLanguage(languages, "sw"), nullptr);
}

}  // namespace
}  // namespace attend
