// Runs of bytes that lie together in both texts, found by binary search.
#include "engine/tokenizers/mapped_text.h"

#include <algorithm>

#include "engine/text/unicode.h"

namespace attend {
namespace {

// Python counts the four separators of ASCII as white space; Unicode's property does not.
bool IsPythonSpace(char32_t c) { return IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F); }

}  // namespace

void MappedText::Keep(std::string_view original, uint32_t begin, uint32_t end) {
  runs_.push_back({static_cast<uint32_t>(text_.size()), begin, false});
  text_.append(original.substr(begin, end - begin));
}

void MappedText::Insert(std::string_view bytes, uint32_t at) {
  runs_.push_back({static_cast<uint32_t>(text_.size()), at, true});
  text_.append(bytes);
}

const MappedText::Run& MappedText::RunOf(uint32_t offset) const {
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), offset,
                                      [](uint32_t at, const Run& run) { return at < run.begin; });
  return *(after - 1);
}

ByteSpan MappedText::ToOriginal(ByteSpan span) const {
  const Run& first = RunOf(span.begin);
  const uint32_t begin = first.original + (first.is_inserted ? 0 : span.begin - first.begin);
  if (span.empty()) return {begin, begin};
  const Run& last = RunOf(span.end - 1);
  return {begin, last.original + (last.is_inserted ? 0 : span.end - last.begin)};
}

ByteSpan TidySpan(std::string_view text, ByteSpan span) {
  span.begin = CharacterBegin(text, span.begin);
  const uint32_t last = CharacterBegin(text, span.end);
  if (last < span.end) span.end = CodePointAt(text, last).end;
  const ByteSpan trimmed = TrimWhiteSpace(text, span);
  return trimmed.empty() ? span : trimmed;
}

ByteSpan StripSpan(std::string_view text, ByteSpan span, bool at_begin, bool at_end) {
  while (at_begin && !span.empty()) {
    const CodePoint c = CodePointAt(text, span.begin);
    if (!IsPythonSpace(c.value)) break;
    span.begin = std::min(c.end, span.end);
  }
  while (at_end && !span.empty()) {
    const CodePoint c = CodePointBefore(text, span.end);
    if (!IsPythonSpace(c.value)) break;
    span.end = std::max(c.begin, span.begin);
  }
  return span;
}

}  // namespace attend
