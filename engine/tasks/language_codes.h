// Language codes as callers write them (BCP-47, or as models spell them).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace attend {

// The canonical spelling: "EN-gb" → "en-GB", "zh_hans" → "zh-Hans", and codes as NLLB writes them:
// "eng_Latn" → "en-Latn". Empty stays empty. INVALID_ARGUMENT / LANGUAGE_CODE_INVALID with `field`
// when the code is not well-formed.
absl::StatusOr<std::string> ParseLanguageCode(std::string_view code, std::string_view field);

// Whether a model of language `served` serves a caller who wants `wanted` (both canonical): the
// same, or one is the other with subtags left off from the right ("en-GB" is served by "en", "pt"
// by "pt-BR"). Empty matches everything.
bool LanguageServed(std::string_view wanted, std::string_view served);

struct LanguagePair {
  std::string source, target;  // canonical; empty when unknown
};

}  // namespace attend
