// Codes as people write them, and the model they choose.
#include "engine/tasks/language_codes.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"

namespace attend {
namespace {

TEST(ParseLanguageCode, SpellsCodesTheOneWay) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"en", "en"},
                                                       {"EN", "en"},
                                                       {"en-gb", "en-GB"},
                                                       {"EN_us", "en-US"},
                                                       {"zh-hans", "zh-Hans"},
                                                       {"zh-HANS-cn", "zh-Hans-CN"},
                                                       {"eng", "en"},
                                                       {"eng_Latn", "en-Latn"},
                                                       {"fra_Latn", "fr-Latn"},
                                                       {"ast", "ast"},
                                                       {"es-419", "es-419"},
                                                       {"de-CH-1901", "de-CH-1901"}};
  for (const auto& [code, expected] : cases) {
    const auto parsed = ParseLanguageCode(code, "f");
    ASSERT_TRUE(parsed.ok()) << code << " " << parsed.status();
    EXPECT_EQ(*parsed, expected);
  }
}

TEST(ParseLanguageCode, RefusesWhatIsNoCode) {
  for (const std::string code : {"e", "english!", "1n", "en-", "-en", "en--gb", "en-abcdefghi",
                                 "en gb", "françaisé", "abcdefghi"}) {
    const auto parsed = ParseLanguageCode(code, "config.source_language_code");
    ASSERT_FALSE(parsed.ok()) << code;
    EXPECT_EQ(GetErrorDetail(parsed.status())->reason, "LANGUAGE_CODE_INVALID");
    EXPECT_EQ(GetErrorDetail(parsed.status())->field, "config.source_language_code");
  }
  EXPECT_FALSE(ParseLanguageCode(std::string(100000, 'a'), "f").ok());
}

TEST(LanguageServed, RegionsFallBack) {
  EXPECT_TRUE(LanguageServed("en-GB", "en"));
  EXPECT_TRUE(LanguageServed("en", "en-GB"));
  EXPECT_TRUE(LanguageServed("", "en"));
  EXPECT_TRUE(LanguageServed("en", ""));
  EXPECT_FALSE(LanguageServed("pt-PT", "pt-BR"));
  EXPECT_FALSE(LanguageServed("en", "fr"));
  EXPECT_FALSE(LanguageServed("en", "enm"));
}

}  // namespace
}  // namespace attend
