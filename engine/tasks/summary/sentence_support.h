// What written sentences lean on: the cross attention of each one's tokens, summed over the
// sentences of the source.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "engine/base/span.h"
#include "engine/tasks/attention_types.h"
#include "engine/tasks/summary_types.h"

namespace attend {

// `attention` holds one dense cross matrix over tokens, [target, source], without special tokens.
// `written`: sentences of the summary, `source`: of the text, both in the spans of the attention's
// tokens and in order. Gives one entry a written sentence that has tokens; sources with less than a
// twentieth of a sentence's attention are left out, and no more than five are named.
std::vector<SentenceSupport> FoldSupport(const AttentionResult& attention,
                                         absl::Span<const ByteSpan> written,
                                         absl::Span<const ByteSpan> source);

}  // namespace attend
