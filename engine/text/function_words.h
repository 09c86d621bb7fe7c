// Words that hold a sentence together and name nothing by themselves: articles, pronouns,
// prepositions, conjunctions, auxiliary verbs, negations. Lists for English and French; of other
// languages no word is known.
#pragma once

#include <string_view>

#include "absl/types/span.h"

namespace attend {

// Whether a word (as SplitWords cuts them: "don't", "l'") is in the list of the language, a BCP-47
// code of which only the first subtag counts. Case and kind of apostrophe make no difference.
bool IsFunctionWord(std::string_view word, std::string_view language);

// The language whose list knows most of these words, "en" or "fr"; English on a tie. For texts of
// which nobody says what they are written in.
std::string_view GuessListLanguage(absl::Span<const std::string_view> words);

// No letter and no digit: punctuation, symbols, emoji.
bool IsPunctuation(std::string_view word);

}  // namespace attend
