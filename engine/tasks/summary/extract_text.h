// From scores to what a caller gets: marked sentences and the text of the summary.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "engine/base/span.h"
#include "engine/tasks/summary/sentence_scores.h"
#include "engine/tasks/summary_types.h"

namespace attend {

// Unicode characters of a part of a text.
int64_t CountCharacters(std::string_view text, ByteSpan span);

// Ranks: those selected in their order, then the others by score.
std::vector<ScoredSentence> MarkSentences(absl::Span<const ByteSpan> sentences,
                                          SentenceScores scores, absl::Span<const size_t> order);

// The selected sentences in the order of the text. Neighbours keep what stands between them; where
// sentences were left out there is a line break if one was there, or a space if the script has any.
std::string ExtractText(std::string_view text, absl::Span<const ScoredSentence> sentences);

}  // namespace attend
