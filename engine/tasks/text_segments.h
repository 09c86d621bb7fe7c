// A text cut into what the model reads at once: sentences, and pieces of sentences that are too
// long for it. What lies between segments is layout and is copied to the translation as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/span.h"
#include "engine/tasks/call_types.h"  // OverflowPolicy
#include "engine/tasks/source_encoder.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

struct TextSegment {
  ByteSpan span;                 // in the text
  uint32_t read_end = 0;         // in the text: where the part that was not cut off ends
  EncodedText encoded;           // spans count from span.begin
  int64_t truncated_tokens = 0;  // cut off under kTruncate
};

struct SegmentOptions {
  std::string language;    // of the text; chooses abbreviations
  int64_t max_tokens = 0;  // of one segment, special tokens included; at least 2
  OverflowPolicy overflow = OverflowPolicy::kSplit;
  int max_segments = 0;
};

// Cuts a text: into sentences, and too long sentences into pieces (kSplit), or not at all (kReject,
// kTruncate: the text is one segment). Sentences of which the tokenizer keeps nothing (a lone
// byte-order mark) are layout. A language token at the very start of the text (">>fra<<") counts
// for all of it: every segment gets it. INVALID_ARGUMENT / INPUT_TOO_LONG naming `field`: under
// kReject when the text does not fit, and always when there are too many segments.
absl::StatusOr<std::vector<TextSegment>> CutIntoSegments(std::string_view text,
                                                         const SourceEncoder& encoder,
                                                         const SegmentOptions& options,
                                                         std::string_view field);

// What lies before, between and after the segments: one more than there are segments.
std::vector<std::string> Layout(std::string_view text, const std::vector<TextSegment>& segments);

// Cuts tokens to `max_tokens`, keeping the special tokens at the end; gives how many were dropped.
int64_t Truncate(int64_t max_tokens, EncodedText* encoded);

}  // namespace attend
