// The expression is 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+, and
// is written out by hand: it is run for every text, and never needs to go back more than a
// character.
#include "engine/tokenizers/hf/byte_level.h"

#include <array>

#include "engine/text/unicode.h"
#include "engine/tokenizers/hf/unicode_forms.h"

namespace attend {
namespace {

const std::array<char32_t, 256>& ByteCharacters() {
  static const std::array<char32_t, 256> characters = [] {
    std::array<char32_t, 256> made{};
    char32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool is_printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      made[byte] = is_printable ? byte : next++;
    }
    return made;
  }();
  return characters;
}

enum class Class { kLetter, kNumber, kSpace, kOther };

Class ClassOf(char32_t c) {
  if (IsLetterCategory(c)) return Class::kLetter;
  if (IsNumeric(c)) return Class::kNumber;
  return IsWhiteSpace(c) ? Class::kSpace : Class::kOther;
}

uint32_t ContractionSize(std::string_view text) {
  if (text.empty() || text.front() != '\'') return 0;
  for (const std::string_view known : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.substr(0, known.size()) == known) return static_cast<uint32_t>(known.size());
  }
  return 0;
}

// The end of the run of one class that begins at `at`.
uint32_t RunEnd(std::string_view text, uint32_t at, Class of) {
  while (at < text.size()) {
    const CodePoint c = CodePointAt(text, at);
    if (ClassOf(c.value) != of) break;
    at = c.end;
  }
  return at;
}

uint32_t WordEnd(std::string_view text, uint32_t begin) {
  if (const uint32_t size = ContractionSize(text.substr(begin)); size > 0) return begin + size;
  const CodePoint first = CodePointAt(text, begin);
  const Class of = ClassOf(first.value);
  if (of != Class::kSpace) return RunEnd(text, first.end, of);
  if (first.value == ' ' && first.end < text.size()) {
    const Class next = ClassOf(CodePointAt(text, first.end).value);
    if (next != Class::kSpace) return RunEnd(text, first.end, next);
  }
  // White space before a word leaves its last character to that word, if it has more than one.
  const uint32_t end = RunEnd(text, first.end, Class::kSpace);
  if (end == text.size()) return end;
  const uint32_t last = CodePointBefore(text, end).begin;
  return last > begin ? last : end;
}

}  // namespace

char32_t CharacterOfByte(uint8_t byte) { return ByteCharacters()[byte]; }

int ByteOfCharacter(char32_t character) {
  static const std::array<int, 512> bytes = [] {
    std::array<int, 512> made{};
    made.fill(-1);
    for (int byte = 0; byte < 256; ++byte) made[ByteCharacters()[static_cast<size_t>(byte)]] = byte;
    return made;
  }();
  return character < bytes.size() ? bytes[character] : -1;
}

void SpellBytes(AlignedText* text) {
  std::vector<CharacterChange> changes;
  const std::string& bytes = text->text();
  changes.reserve(bytes.size());
  for (uint32_t at = 0; at < bytes.size();) {
    const uint32_t end = CodePointAt(bytes, at).end;
    for (uint32_t i = at; i < end; ++i) {
      changes.push_back({CharacterOfByte(static_cast<uint8_t>(bytes[i])), i > at ? 1 : 0});
    }
    at = end;
  }
  text->Transform(changes, 0);
}

std::vector<ByteSpan> SplitLikeGpt2(std::string_view text) {
  std::vector<ByteSpan> words;
  for (uint32_t at = 0; at < text.size();) {
    const uint32_t end = WordEnd(text, at);
    words.push_back({at, end});
    at = end;
  }
  return words;
}

}  // namespace attend
