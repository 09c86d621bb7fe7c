// The tokens of the segments tell how many may go together; encoding what lies between the first
// and the last of them has the last word, because white space between sentences may count.
#include "engine/tasks/summary/source_parts.h"

#include <algorithm>
#include <utility>

#include "engine/base/status_macros.h"

namespace attend {
namespace {

int64_t OrdinaryTokens(const TextSegment& segment) {
  return std::count_if(segment.encoded.tokens.begin(), segment.encoded.tokens.end(),
                       [](const EncodedToken& token) { return !token.special; });
}

}  // namespace

absl::StatusOr<std::vector<TextSegment>> CutIntoParts(std::string_view text,
                                                      const SourceEncoder& encoder,
                                                      const SegmentOptions& options,
                                                      std::string_view field) {
  ATTEND_ASSIGN_OR_RETURN(std::vector<TextSegment> segments,
                          CutIntoSegments(text, encoder, options, field));
  if (segments.size() < 2) return segments;
  std::vector<int64_t> tokens;
  int64_t total = 0;
  for (const TextSegment& segment : segments) {
    tokens.push_back(OrdinaryTokens(segment));
    total += tokens.back();
  }
  const auto framing =
      static_cast<int64_t>(segments[0].encoded.tokens.size()) - tokens[0];  // around every part
  const int64_t room = std::max<int64_t>(1, options.max_tokens - framing);
  const int64_t num_parts = (total + room - 1) / room;
  const int64_t goal = (total + num_parts - 1) / num_parts;

  std::vector<TextSegment> parts;
  for (size_t first = 0; first < segments.size();) {
    size_t end = first + 1;
    int64_t sum = tokens[first];
    // Up to the goal and the sentence that crosses it, where that one still fits.
    while (end < segments.size() && sum < goal && sum + tokens[end] <= room) sum += tokens[end++];
    while (end > first + 1) {
      const ByteSpan span = {segments[first].span.begin, segments[end - 1].span.end};
      EncodedText encoded = encoder.Encode(text.substr(span.begin, span.size()));
      if (static_cast<int64_t>(encoded.tokens.size()) <= options.max_tokens) {
        parts.push_back({span, span.end, std::move(encoded), 0});
        break;
      }
      --end;
    }
    if (end == first + 1) parts.push_back(std::move(segments[first]));
    first = end;
  }
  return parts;
}

}  // namespace attend
