// Words that end in a full stop without ending a sentence, by language, and words that begin one.
#pragma once

#include <string_view>

namespace attend {

enum class AbbreviationKind {
  kNone,
  kBeforeName,    // "Mr.", "e.g.": whatever follows belongs to the sentence
  kBeforeNumber,  // "p.", "No.", "Jan.": belongs together with a number only
  kMayEnd,  // "Inc.", "Jr.", "U.S.": ends a sentence only before a word that begins one ("The",
            // "Il")
};

// `word` is what stands before the full stop, without it, inner full stops kept ("e.g"), in its own
// case. `language` is a BCP-47 code; "" and languages without a list ask all lists.
AbbreviationKind FindAbbreviation(std::string_view word, std::string_view language);

// Whether a capitalised word is one that mostly begins sentences: article, pronoun, conjunction,
// question word.
bool IsSentenceStarter(std::string_view word, std::string_view language);

// Whether the word goes with a time before it: "5 p.m. EST", "9 a.m. Monday".
bool FollowsTimeOfDay(std::string_view word);

}  // namespace attend
