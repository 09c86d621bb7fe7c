#include "engine/tokenizers/language_code.h"

#include <gtest/gtest.h>

namespace attend {
namespace {

TEST(ToLanguageCode, KnowsWhatCheckpointsWrite) {
  const struct {
    const char* name;
    const char* code;
  } cases[] = {{"en", "en"},
               {"fr", "fr"},
               {"eng", "en"},
               {"fra", "fr"},
               {"fre", "fr"},
               {"zho", "zh"},
               {"gaa", "gaa"},
               {"mri", "mi"},
               {"zul", "zu"},
               {"aar", "aa"},
               {"cmn", "zh"},
               {"zh-Hans-CN", "zh-Hans-CN"},
               {"ces_slk", ""},
               {"ces-slk", ""},
               {"nld_deu_eng", ""},
               {"aqa", ""},
               {"zxx", ""},
               {"und", ""},
               {"pt_BR", "pt-BR"},
               {"zh-Hans", "zh-Hans"},
               {"eng_Latn", "en"},
               {"fra_Latn", "fr"},
               {"rus_Cyrl", "ru"},
               {"rus_Latn", "ru-Latn"},
               {"srp_Cyrl", "sr"},
               {"sr-Latn", "sr-Latn"},
               {"zho_Hans", "zh-Hans"},
               {"zho_Hant", "zh-Hant"},
               {"yue_Hant", "yue"},
               {"arb_Arab", "ar"},
               {"arb_Latn", "ar-Latn"},
               {"kas_Arab", "ks"},
               {"kas_Deva", "ks-Deva"},
               {"taq_Tfng", "taq-Tfng"},
               {"pes_Arab", "fa"},
               {"fr_XX", "fr"},
               {"zh_CN", "zh-CN"},
               {"es-419", "es-419"},
               {"ROMANCE", ""},
               {"NORTH_EU", ""},
               {"gem", ""},
               {"mul", ""},
               {"zlw", ""},
               {"", ""},
               {"e", ""},
               {"engl", ""},
               {"de+en", ""},
               {"fr_", ""},
               {"fr-!", ""},
               {"\u00E9n", ""}};
  for (const auto& c : cases) EXPECT_EQ(ToLanguageCode(c.name), c.code) << c.name;
}

}  // namespace
}  // namespace attend
