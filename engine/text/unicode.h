// Code points of a UTF-8 text, and the few questions about them that this room asks. Ill-formed
// bytes count as one character each (U+FFFD), so that every loop ends and every byte belongs to a
// character.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/span.h"

namespace attend {

struct CodePoint {
  char32_t value = 0;
  uint32_t begin = 0;  // byte offsets of the character
  uint32_t end = 0;
};

// The character that begins at `offset`. REQUIRES: offset < text.size().
CodePoint CodePointAt(std::string_view text, uint32_t offset);
// The character that ends at `offset`. REQUIRES: 0 < offset <= text.size(), on a character
// boundary.
CodePoint CodePointBefore(std::string_view text, uint32_t offset);
// The nearest character boundary at or before `offset`. REQUIRES: offset <= text.size().
uint32_t CharacterBegin(std::string_view text, uint32_t offset);

bool IsWhiteSpace(char32_t c);  // Unicode White_Space, line ends included
bool IsLineEnd(char32_t c);
bool IsLetter(char32_t c);  // marks that combine with letters count
bool IsDigit(char32_t c);
bool IsLowercase(char32_t c);
bool IsUppercase(char32_t c);  // title case too
bool IsInvisible(char32_t c);  // control and format characters
bool IsCombining(char32_t c);  // never starts a character that a reader sees
bool IsCjk(char32_t c);        // Han, kana, bopomofo: written without spaces

// The text in lower case, character by character: no language's special rules, and the same number
// of characters.
std::string Lowercase(std::string_view text);

// The span without white space at its ends; empty, at its begin, when there is nothing else in it.
ByteSpan TrimWhiteSpace(std::string_view text, ByteSpan span);

}  // namespace attend
