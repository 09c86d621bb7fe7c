// Widths follow Unicode's East Asian Width (UAX #11) and general categories as ICU knows them: what
// terminals agree on.
#include "client/text_width.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <cstdint>

namespace attend::client {
namespace {

// Decodes the code point at `*offset` and moves past it; negative when the bytes there are
// ill-formed.
UChar32 NextCodePoint(std::string_view text, std::size_t* offset) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto length = static_cast<int64_t>(text.size());
  auto position = static_cast<int64_t>(*offset);
  UChar32 code_point;
  U8_NEXT(bytes, position, length, code_point);
  *offset = static_cast<std::size_t>(position);
  return code_point;
}

bool IsUnsafeToPrint(UChar32 c) {
  return u_iscntrl(c) || c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

int CodePointWidth(UChar32 c) {
  if (c >= 0x20 && c < 0x7F) return 1;
  switch (u_charType(c)) {
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
      return c == 0xAD ? 1 : 0;  // terminals show the soft hyphen
    default:
      break;
  }
  if (c >= 0x1160 && c <= 0x11FF) return 0;  // Hangul vowels and finals join the syllable before
  const int width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_FULLWIDTH || width == U_EA_WIDE ? 2 : 1;
}

}  // namespace

std::size_t FirstInvalidUtf8(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t start = offset;
    if (NextCodePoint(text, &offset) < 0) return start;
  }
  return std::string_view::npos;
}

std::string Printable(std::string_view text) {
  std::string printable;
  printable.reserve(text.size());
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t start = offset;
    const UChar32 c = NextCodePoint(text, &offset);
    if (c >= 0 && !IsUnsafeToPrint(c)) {
      printable.append(text.substr(start, offset - start));
    } else if (c == '\t' || c == '\n' || c == '\r') {
      printable += ' ';
    } else {
      printable += "\uFFFD";
    }
  }
  return printable;
}

int DisplayWidth(std::string_view text) {
  int width = 0;
  std::size_t offset = 0;
  while (offset < text.size()) {
    const UChar32 c = NextCodePoint(text, &offset);
    width += c < 0 ? 1 : CodePointWidth(c);
  }
  return width;
}

std::string CutToWidth(std::string_view text, int width, std::string_view mark) {
  if (DisplayWidth(text) <= width) return std::string(text);
  const int room = width - DisplayWidth(mark);
  int used = 0;
  std::size_t offset = 0;
  while (offset < text.size()) {
    std::size_t next = offset;
    const UChar32 c = NextCodePoint(text, &next);
    used += c < 0 ? 1 : CodePointWidth(c);
    if (used > room) break;
    offset = next;
  }
  return std::string(text.substr(0, offset)).append(mark);
}

std::string PadLeft(std::string_view text, int width) {
  const int missing = width - DisplayWidth(text);
  return std::string(missing > 0 ? static_cast<std::size_t>(missing) : 0, ' ').append(text);
}

std::string PadRight(std::string_view text, int width) {
  const int missing = width - DisplayWidth(text);
  return std::string(text).append(missing > 0 ? static_cast<std::size_t>(missing) : 0, ' ');
}

}  // namespace attend::client
