// ICU's character properties behind plain functions, with the ASCII half answered without asking
// it.
#include "engine/text/unicode.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

namespace attend {
namespace {

UChar32 ToUChar(char32_t c) { return static_cast<UChar32>(c); }

}  // namespace

CodePoint CodePointAt(std::string_view text, uint32_t offset) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  int64_t position = offset;
  UChar32 c;
  U8_NEXT_OR_FFFD(bytes, position, static_cast<int64_t>(text.size()), c);
  return {static_cast<char32_t>(c), offset, static_cast<uint32_t>(position)};
}

CodePoint CodePointBefore(std::string_view text, uint32_t offset) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  // The macro calls an ICU function that takes 32-bit positions, and never looks back further than
  // this.
  const uint32_t window = offset > 8 ? offset - 8 : 0;
  int32_t position = static_cast<int32_t>(offset - window);
  UChar32 c;
  U8_PREV_OR_FFFD(bytes + window, 0, position, c);
  return {static_cast<char32_t>(c), window + static_cast<uint32_t>(position), offset};
}

uint32_t CharacterBegin(std::string_view text, uint32_t offset) {
  if (offset >= text.size()) return static_cast<uint32_t>(text.size());
  for (uint32_t back = 0; back < 4 && back <= offset; ++back) {
    const uint32_t begin = offset - back;
    if ((static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) continue;
    return CodePointAt(text, begin).end > offset ? begin : offset;
  }
  return offset;
}

bool IsWhiteSpace(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return u_isUWhiteSpace(ToUChar(c)) != 0;
}

bool IsLineEnd(char32_t c) {
  return (c >= '\n' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool IsLetter(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return u_isUAlphabetic(ToUChar(c)) != 0;
}

bool IsDigit(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  const uint32_t mask = U_GET_GC_MASK(ToUChar(c));
  return (mask & U_GC_N_MASK) != 0;
}

bool IsLowercase(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z';
  return u_isULowercase(ToUChar(c)) != 0;
}

bool IsUppercase(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  return u_isUUppercase(ToUChar(c)) != 0 || u_istitle(ToUChar(c)) != 0;
}

bool IsInvisible(char32_t c) {
  if (c < 0x80) return c < 0x20 || c == 0x7F;
  return (U_GET_GC_MASK(ToUChar(c)) & (U_GC_CC_MASK | U_GC_CF_MASK)) != 0;
}

bool IsCombining(char32_t c) {
  if (c < 0x300) return false;
  return (U_GET_GC_MASK(ToUChar(c)) & U_GC_M_MASK) != 0 || c == 0x200D ||
         (c >= 0x1F3FB && c <= 0x1F3FF) || (c >= 0xE0020 && c <= 0xE007F);
}

bool IsCjk(char32_t c) {
  if (c < 0x2E80) return false;
  UErrorCode error = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(ToUChar(c), &error);
  return script == USCRIPT_HAN || script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA ||
         script == USCRIPT_BOPOMOFO;
}

std::string Lowercase(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  for (uint32_t at = 0; at < text.size();) {
    const CodePoint c = CodePointAt(text, at);
    at = c.end;
    uint8_t bytes[U8_MAX_LENGTH];
    int32_t size = 0;
    U8_APPEND_UNSAFE(bytes, size, u_tolower(ToUChar(c.value)));
    lower.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
  return lower;
}

ByteSpan TrimWhiteSpace(std::string_view text, ByteSpan span) {
  const uint32_t begin = span.begin;
  while (span.begin < span.end) {
    const CodePoint c = CodePointAt(text, span.begin);
    if (!IsWhiteSpace(c.value)) break;
    span.begin = c.end;
  }
  if (span.empty()) return {begin, begin};
  while (span.end > span.begin) {
    const CodePoint c = CodePointBefore(text, span.end);
    if (!IsWhiteSpace(c.value)) break;
    span.end = c.begin;
  }
  return span;
}

}  // namespace attend
