// How multilingual checkpoints name languages in their tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace attend {

// Whether a token reads like a language of mBART ("fr_XX") or of NLLB ("fra_Latn").
bool IsLanguageToken(std::string_view token);

// BCP-47 of such a name: "fr", "zh-Hans". The region of mBART's names tells languages apart nowhere
// and is left out; the script stays where it is not the one that the language is written in, and
// for Chinese.
std::string LanguageTokenCode(std::string_view token);

}  // namespace attend
