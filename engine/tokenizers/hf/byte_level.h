// The alphabet of byte-level vocabularies: one printable character for each byte ("Ġ" is the
// space), and GPT-2's way of cutting a text into words.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/span.h"
#include "engine/tokenizers/hf/aligned_text.h"

namespace attend {

char32_t CharacterOfByte(uint8_t byte);
// -1 for a character that stands for no byte.
int ByteOfCharacter(char32_t character);

// Every byte of the text becomes its character.
void SpellBytes(AlignedText* text);

// What GPT-2's expression matches: contractions, and runs of letters, of digits, of other signs,
// each with one space in front, and of white space. The ranges cover the text.
std::vector<ByteSpan> SplitLikeGpt2(std::string_view text);

}  // namespace attend
