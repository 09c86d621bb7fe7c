// Text → sentences, with everything between them kept, so that a translated document has the layout
// of the source. Knows abbreviations, decimals, initials, ellipses, closing quotes and brackets,
// list bullets, headings without a full stop, and CJK and French punctuation. Linear in the text,
// any input, never fails.
#pragma once

#include <string_view>
#include <vector>

#include "engine/base/span.h"

namespace attend {

enum class LineBreaks {
  kEndSentences,  // lines are units of their own, as in what is sent for translation
  kByLayout,      // a document: a sentence may go on over a line break (line_joining.h)
};

struct SplitOptions {
  std::string_view language;  // BCP-47; chooses the abbreviations ("": the union of all lists)
  LineBreaks line_breaks = LineBreaks::kEndSentences;
};

// Spans of sentences, in order, not overlapping, trimmed of white space; together they cover every
// byte that is not white space. Under kByLayout a span may hold line breaks.
std::vector<ByteSpan> SplitSentences(std::string_view text, const SplitOptions& options);
// Line breaks end sentences.
inline std::vector<ByteSpan> SplitSentences(std::string_view text, std::string_view language) {
  return SplitSentences(text, SplitOptions{language, LineBreaks::kEndSentences});
}

// Where a sentence that is too long for a model may be cut: byte offsets after which a piece may
// end, in order, with a rank. A caller takes the last offset of the lowest rank at which the piece
// still fits.
struct CutPoint {
  uint32_t offset;
  int rank;  // 0 after a clause mark (; : , – and their CJK forms), 1 after a space, 2 after any
             // character
};
std::vector<CutPoint> CutPoints(std::string_view text, ByteSpan sentence);

}  // namespace attend
