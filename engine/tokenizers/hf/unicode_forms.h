// Unicode's normalisation forms and grapheme clusters, with the way back to the characters that
// were given.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/tokenizers/hf/aligned_text.h"

namespace attend {

enum class UnicodeForm { kNfd, kNfkd, kNfc, kNfkc };

void NormalizeUnicode(UnicodeForm form, AlignedText* text);

// Byte offsets at which the grapheme clusters of a text end, in order.
std::vector<uint32_t> GraphemeEnds(std::string_view text);

// Lower case of each character by itself, as Rust's char::to_lowercase has it.
void LowercaseCharacters(AlignedText* text);

// General categories, as the pre-tokenizers ask for them. `tokenizers` takes those of marks,
// punctuation and others from tables of Unicode 8 or 9, in which newer characters have none; so do
// these functions, where that makes a difference to BERT's tokens.
bool IsMark(char32_t c);            // Mn, Mc, Me
bool IsNonspacingMark(char32_t c);  // Mn
bool IsOtherCategory(char32_t c);   // Cc, Cf, Co
bool IsPunctuation(char32_t c);     // P*, and the symbols of ASCII
bool IsNumeric(char32_t c);         // Nd, Nl, No
bool IsLetterCategory(char32_t c);  // L*
bool IsWordCharacter(char32_t c);   // \w of regular expressions: letters, marks, digits, joiners

}  // namespace attend
