// The sentences of a text, packed into windows that an encoder reads at once. Every token is read
// once, so the work is linear in the text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "engine/base/span.h"
#include "engine/tasks/source_encoder.h"

namespace attend {

// Consecutive tokens of a window that belong to one sentence.
struct WindowPart {
  int sentence = 0;
  int first = 0, count = 0;  // in the window's ids
};

struct SentenceWindow {
  std::vector<int32_t> ids;  // with the special tokens around them
  std::vector<WindowPart> parts;
};

// Sentences in order, each window filled as far as whole sentences go; a sentence that no window
// can hold is cut and has windows of its own. A sentence of which the tokenizer keeps nothing has
// no part. max_tokens counts the special ones. REQUIRES: it leaves room for a token beside the
// special ones.
std::vector<SentenceWindow> PackSentences(std::string_view text,
                                          absl::Span<const ByteSpan> sentences,
                                          const SourceEncoder& encoder, int64_t max_tokens);

}  // namespace attend
