// Which languages a model serves, how it is told, and which model a pair chooses.
#include "engine/tasks/model_languages.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/error.h"

namespace attend {
namespace {

ModelLanguages Bilingual(const std::string& source, const std::string& target) {
  return ModelLanguages({source, target}, {}, {});
}

class ChoosingTest : public ::testing::Test {
 protected:
  const ModelLanguages fr_ = Bilingual("en", "fr"), pt_ = Bilingual("en", "pt"),
                       ptbr_ = Bilingual("en", "pt-BR");
  const std::vector<LanguageCandidate> models_ = {
      {"en-fr", &fr_}, {"en-pt", &pt_}, {"en-ptbr", &ptbr_}};
};

TEST_F(ChoosingTest, TakesTheClosest) {
  EXPECT_EQ(*ChooseByLanguages({"en-GB", "fr"}, models_), "en-fr");
  EXPECT_EQ(*ChooseByLanguages({"en", "pt-BR"}, models_), "en-ptbr");
  EXPECT_EQ(*ChooseByLanguages({"en", "pt"}, models_), "en-pt");
  EXPECT_EQ(*ChooseByLanguages({"", "fr"}, models_), "en-fr");
}

TEST_F(ChoosingTest, NoPairTakesTheOnlyModel) {
  EXPECT_EQ(*ChooseByLanguages({}, {models_[0]}), "en-fr");
  const auto several = ChooseByLanguages({}, models_);
  EXPECT_EQ(several.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetErrorDetail(several.status())->field, "config.model");
}

TEST_F(ChoosingTest, SaysWhatIsServed) {
  const auto chosen = ChooseByLanguages({"en", "ja"}, models_);
  EXPECT_EQ(chosen.status().code(), absl::StatusCode::kNotFound);
  const auto detail = GetErrorDetail(chosen.status());
  EXPECT_EQ(detail->reason, "LANGUAGE_PAIR_NOT_SERVED");
  EXPECT_EQ(detail->metadata[2].second, "en>fr,en>pt,en>pt-BR");
}

TEST_F(ChoosingTest, ListsAtMostTwentyPairs) {
  const std::vector<LanguageCandidate> many(50, models_[0]);
  const auto chosen = ChooseByLanguages({"en", "ja"}, many);
  const std::string served = GetErrorDetail(chosen.status())->metadata[2].second;
  EXPECT_EQ(std::count(served.begin(), served.end(), ','), 19);
  EXPECT_NE(std::string(chosen.status().message()).find("and 30 more"), std::string::npos);
}

const TokenizerLanguage kTokens[] = {
    {"eng_Latn", "en", 10}, {"fra_Latn", "fr", 11}, {"zho_Hans", "zh-Hans", 12}};

class MultilingualTest : public ChoosingTest {
 protected:
  const ModelLanguages any_{{"en", ""}, kTokens, {}};
};

TEST_F(MultilingualTest, TakesCodesAndOwnNames) {
  for (const char* french : {"fr", "fr-CA", "fr-Latn"}) {
    const auto route = any_.Route({"en", french}, "nllb", "config.");
    ASSERT_TRUE(route.ok()) << french << route.status();
    EXPECT_EQ(route->target->id, 11);
    EXPECT_EQ(route->source.language->id, 10);
    EXPECT_EQ(route->pair.target, "fr");
  }
  EXPECT_EQ(any_.Route({"fr", "zh"}, "nllb", "")->target->id, 12);
  EXPECT_EQ(any_.Route({"", "fr"}, "nllb", "")->source.language->id, 10) << "its own default";
}

TEST_F(MultilingualTest, MustBeToldTheTarget) {
  const auto route = any_.Route({"en", ""}, "nllb", "config.");
  EXPECT_EQ(route.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetErrorDetail(route.status())->reason, "LANGUAGE_CODE_INVALID");
  EXPECT_EQ(GetErrorDetail(route.status())->field, "config.target_language_code");
}

TEST_F(MultilingualTest, SaysWhichLanguagesItKnows) {
  const auto route = any_.Route({"en", "ja"}, "nllb", "");
  EXPECT_EQ(route.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetErrorDetail(route.status())->metadata[2].second, "en,fr,zh-Hans");
}

TEST_F(MultilingualTest, IsChosenWhereTheOthersDoNotServe) {
  const std::vector<LanguageCandidate> models = {{"nllb", &any_}, {"en-fr", &fr_}};
  EXPECT_EQ(*ChooseByLanguages({"fr", "zh-Hans"}, models), "nllb");
  EXPECT_EQ(*ChooseByLanguages({"en", "fr"}, {models[1], models[0]}), "en-fr");
}

TEST(PrefixedLanguages, TellThePairByAPrefix) {
  const ModelLanguages t5({}, {},
                          {{{"en", "de"}, "translate English to German: "},
                           {{"en", "fr"}, "translate English to French: "}});
  EXPECT_EQ(t5.Route({"en", "fr"}, "t5", "")->source.prefix, "translate English to French: ");
  EXPECT_EQ(t5.Route({"", "de"}, "t5", "")->source.prefix, "translate English to German: ");
  EXPECT_EQ(t5.Route({"de", "en"}, "t5", "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(t5.Route({"en", ""}, "t5", "").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(t5.pairs().size(), 2u);
}

}  // namespace
}  // namespace attend
