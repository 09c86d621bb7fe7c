// Language codes as callers write them (BCP-47) and which model they choose.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

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

// A model that may serve a call.
struct LanguageCandidate {
  std::string model;
  LanguagePair pair;
};

// The candidate that serves the pair: the best match, then the first. NOT_FOUND /
// LANGUAGE_PAIR_NOT_SERVED (metadata source, target, and served: the first 20 pairs) when none
// does; INVALID_ARGUMENT / OPTION_OUT_OF_RANGE with field config.model when no language is given
// and there are several to choose from.
absl::StatusOr<std::string> ChooseByLanguages(const LanguagePair& wanted,
                                              absl::Span<const LanguageCandidate> candidates);

// The error of ChooseByLanguages.
absl::Status PairNotServed(const LanguagePair& wanted,
                           absl::Span<const LanguageCandidate> candidates);

}  // namespace attend
