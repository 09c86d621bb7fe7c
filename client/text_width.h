// UTF-8 as a terminal shows it: validity, columns taken, cutting and padding.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace attend::client {

// Byte offset of the first byte that is not part of valid UTF-8; npos when all of it is valid.
std::size_t FirstInvalidUtf8(std::string_view text);

// The text with every ill-formed byte replaced by U+FFFD and every control character, line
// separator or bidirectional override by a visible stand-in, so that no text can drive the
// terminal.
std::string Printable(std::string_view text);

// Columns that the text takes: 2 for East Asian wide characters and emoji, 0 for combining marks.
int DisplayWidth(std::string_view text);

// At most `width` columns of the text; a cut is marked by `mark` (which must fit).
std::string CutToWidth(std::string_view text, int width, std::string_view mark);

// Spaces before or after the text to fill `width` columns; longer texts stay as they are.
std::string PadLeft(std::string_view text, int width);
std::string PadRight(std::string_view text, int width);

}  // namespace attend::client
