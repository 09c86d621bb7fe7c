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
               {"eng_Latn", "en-Latn"},
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
