// The tokens and words of one text as rows or columns of attention: each token knows its place in
// the text and its word.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "engine/tasks/attention_types.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

struct TextAxis {
  std::vector<AttendedToken> tokens;  // word: index into `words`
  std::vector<AttendedWord> words;
};

// Spans of the axis count from `offset`: where `text`, the text that was encoded, begins in the
// caller's text.
TextAxis AxisOfEncoded(std::string_view text, const EncodedText& encoded, uint32_t offset);

// Ids that the model wrote (or was forced to write) and their text. log_probs: one per id, or
// empty.
TextAxis AxisOfDecoded(const Tokenizer& tokenizer, absl::Span<const int32_t> ids,
                       const DecodedText& decoded, absl::Span<const float> log_probs,
                       uint32_t offset);

}  // namespace attend
