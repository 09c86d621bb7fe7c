// ICU gives full decompositions, combining classes and compositions of pairs; the order of marks
// and the composition of runs are done here, because ICU's whole-text functions do not tell which
// characters went into which.
#include "engine/tokenizers/hf/unicode_forms.h"

#include <unicode/brkiter.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utext.h>

#include <algorithm>
#include <memory>

#include "engine/base/check.h"
#include "engine/text/unicode.h"

namespace attend {
namespace {

const icu::Normalizer2& Canonical() {
  static const icu::Normalizer2* const form = [] {
    UErrorCode error = U_ZERO_ERROR;
    const icu::Normalizer2* found = icu::Normalizer2::getNFCInstance(error);
    ATTEND_CHECK(U_SUCCESS(error), "ICU's tables of normal forms are missing");
    return found;
  }();
  return *form;
}

const icu::Normalizer2& Compatible() {
  static const icu::Normalizer2* const form = [] {
    UErrorCode error = U_ZERO_ERROR;
    const icu::Normalizer2* found = icu::Normalizer2::getNFKCInstance(error);
    ATTEND_CHECK(U_SUCCESS(error), "ICU's tables of normal forms are missing");
    return found;
  }();
  return *form;
}

uint32_t CategoryMask(char32_t c) { return U_GET_GC_MASK(static_cast<UChar32>(c)); }
// Whether a version of Unicode has the character.
bool IsIn(char32_t c, uint8_t version) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] <= version;
}
// The library's normal forms are those of Unicode 9; newer characters stay where they are.
uint8_t CombiningClass(char32_t c) {
  if (c < 0x300) return 0;
  const uint8_t combining = u_getCombiningClass(static_cast<UChar32>(c));
  return combining != 0 && IsIn(c, 9) ? combining : 0;
}

std::vector<CharacterChange> Decompose(const icu::Normalizer2& form, std::string_view text) {
  std::vector<CharacterChange> out;
  out.reserve(text.size());
  size_t run = 0;  // begin of the marks that may still change places
  const auto add = [&](CharacterChange c) {
    out.push_back(c);
    const uint8_t combining = CombiningClass(c.character);
    if (combining == 0) {
      run = out.size();
      return;
    }
    // Each mark moves to behind the last that is not above it: a stable sort, done as they come.
    for (size_t at = out.size() - 1; at > run && CombiningClass(out[at - 1].character) > combining;
         --at) {
      std::swap(out[at - 1], out[at]);
    }
  };
  icu::UnicodeString mapping;
  for (const char32_t c : CodePointsOf(text)) {
    if (c < 0x80 || !form.getDecomposition(static_cast<UChar32>(c), mapping)) {
      add({c, 0});
      continue;
    }
    for (int32_t i = 0; i < mapping.length();) {
      const UChar32 part = mapping.char32At(i);
      add({static_cast<char32_t>(part), i > 0 ? 1 : 0});
      i += U16_LENGTH(part);
    }
  }
  return out;
}

std::vector<CharacterChange> Compose(const std::vector<CharacterChange>& decomposed) {
  std::vector<CharacterChange> out;
  out.reserve(decomposed.size());
  constexpr size_t kNone = SIZE_MAX;
  size_t starter = kNone;  // what later characters may join
  int last_class = -1;     // of what stands behind it; -1: nothing
  for (const CharacterChange& c : decomposed) {
    const int combining = CombiningClass(c.character);
    if (starter != kNone && last_class < combining) {
      const UChar32 pair = Canonical().composePair(static_cast<UChar32>(out[starter].character),
                                                   static_cast<UChar32>(c.character));
      if (pair >= 0) {
        out[starter].character = static_cast<char32_t>(pair);
        out[starter].change += c.change - 1;
        continue;
      }
    }
    out.push_back(c);
    if (combining == 0) {
      starter = out.size() - 1;
      last_class = -1;
    } else if (starter != kNone) {
      last_class = combining;
    }
  }
  return out;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

// Where no character takes part in a cluster of several, but CR LF.
bool IsPlain(std::string_view text) {
  for (uint32_t at = 0; at < text.size();) {
    const CodePoint c = CodePointAt(text, at);
    if (c.value >= 0x300) return false;
    at = c.end;
  }
  return true;
}

std::vector<uint32_t> PlainGraphemeEnds(std::string_view text) {
  std::vector<uint32_t> ends;
  ends.reserve(text.size());
  for (uint32_t at = 0; at < text.size();) {
    at = CodePointAt(text, at).end;
    if (text[at - 1] == '\r' && at < text.size() && text[at] == '\n') ++at;
    ends.push_back(at);
  }
  return ends;
}

}  // namespace

void NormalizeUnicode(UnicodeForm form, AlignedText* text) {
  if (IsAscii(text->text())) return;
  const bool is_canonical = form == UnicodeForm::kNfd || form == UnicodeForm::kNfc;
  std::vector<CharacterChange> changes =
      Decompose(is_canonical ? Canonical() : Compatible(), text->text());
  if (form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc) changes = Compose(changes);
  text->Transform(changes, 0);
}

std::vector<uint32_t> GraphemeEnds(std::string_view text) {
  if (IsPlain(text)) return PlainGraphemeEnds(text);
  static const icu::BreakIterator* const prototype = [] {
    UErrorCode error = U_ZERO_ERROR;
    const auto* made = icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), error);
    ATTEND_CHECK(U_SUCCESS(error), "ICU's rules of grapheme clusters are missing");
    return made;
  }();
  const std::unique_ptr<icu::BreakIterator> breaks(prototype->clone());
  UErrorCode error = U_ZERO_ERROR;
  UText* const source =
      utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &error);
  breaks->setText(source, error);
  std::vector<uint32_t> ends;
  if (U_SUCCESS(error)) {
    breaks->first();
    for (int32_t at = breaks->next(); at != icu::BreakIterator::DONE; at = breaks->next()) {
      ends.push_back(static_cast<uint32_t>(at));
    }
  }
  utext_close(source);
  if (ends.empty() || ends.back() != text.size()) {
    ends.push_back(static_cast<uint32_t>(text.size()));
  }
  return ends;
}

void LowercaseCharacters(AlignedText* text) {
  std::vector<CharacterChange> changes;
  changes.reserve(text->text().size());
  for (const char32_t c : CodePointsOf(text->text())) {
    if (c == 0x130) {  // the one character whose lower case is two
      changes.push_back({'i', 0});
      changes.push_back({0x307, 1});
    } else {
      changes.push_back({static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))), 0});
    }
  }
  text->Transform(changes, 0);
}

bool IsMark(char32_t c) { return c >= 0x300 && (CategoryMask(c) & U_GC_M_MASK) != 0 && IsIn(c, 9); }
bool IsNonspacingMark(char32_t c) {
  return c >= 0x300 && (CategoryMask(c) & U_GC_MN_MASK) != 0 && IsIn(c, 8);
}
bool IsOtherCategory(char32_t c) {
  if (c < 0x80) return c < 0x20 || c == 0x7F;
  return (CategoryMask(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0 && IsIn(c, 8);
}
bool IsPunctuation(char32_t c) {
  if (c < 0x80) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }
  return (CategoryMask(c) & U_GC_P_MASK) != 0 && IsIn(c, 8);
}
bool IsNumeric(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return (CategoryMask(c) & U_GC_N_MASK) != 0;
}
bool IsWordCharacter(char32_t c) {
  return IsLetter(c) || c == 0x200C || c == 0x200D ||
         (CategoryMask(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}
bool IsLetterCategory(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return (CategoryMask(c) & U_GC_L_MASK) != 0;
}

}  // namespace attend
