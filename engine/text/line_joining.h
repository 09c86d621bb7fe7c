// Which line breaks of a document are only where the margin was. Text files, mails and pages of a
// PDF are wrapped: a sentence goes on over the line break. Headings, list items, rows of a table
// and lines that are units of their own are not.
#pragma once

#include <string_view>
#include <vector>

#include "engine/base/span.h"

namespace attend {

// Spans of one or more whole lines, in order, not overlapping, trimmed of white space; together
// they cover every byte that is not white space. No sentence goes from one into the next. Linear in
// the text, any input, never fails.
//
// A line break inside a paragraph joins its two lines when the next line goes on in lower case (in
// a text that begins its sentences with capitals), or when the first word of the next line had no
// room before the right margin. Blank lines, headings, list items, tables and rules never join.
std::vector<ByteSpan> JoinLines(std::string_view text);

}  // namespace attend
