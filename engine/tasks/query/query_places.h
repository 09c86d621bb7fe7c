// The places of a text that may answer a query, and their order.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/base/span.h"
#include "engine/tasks/attention_types.h"
#include "engine/tasks/query/query_weights.h"
#include "engine/tasks/text_axis.h"

namespace attend {

struct QueryPlace {
  ByteSpan span;
  std::vector<int> tokens;  // of the axis; at least one
};

struct QueryRules {
  ByteSpan query;
  std::string language;  // of the text, canonical; empty: guessed from its function words
  bool include_function_words = false;  // and punctuation
  bool only_earlier = false;            // a causal model's query sees nothing else
};

// Indices of the ordinary tokens that a span covers, wholly or in part.
std::vector<int> TokensIn(const TextAxis& axis, ByteSpan span);

// Words that may answer, in the order of the text: those with tokens, without the query's own.
std::vector<QueryPlace> PlacesOfWords(const TextAxis& axis, const QueryRules& rules);

// The caller's candidates, in the order of the caller; nothing is sorted out. Errors at
// `candidates[i]`: those of CheckSpan, SPAN_INVALID for one that overlaps the query, SPAN_EMPTY for
// one without a token, INPUT_TOO_LONG for one outside the window that was read.
absl::StatusOr<std::vector<QueryPlace>> PlacesOfCandidates(std::string_view text, ByteSpan window,
                                                           const TextAxis& axis,
                                                           absl::Span<const ByteSpan> candidates,
                                                           ByteSpan query);

// The answers with their parts of `text`, best first, weights as shares of all places together; the
// earlier place on a tie. At most `max_results`. A preset without terms: shares of the mean
// attention over its heads; with terms: softmax of the preset's log-linear score.
std::vector<QueryAnswer> RankPlaces(std::string_view text, absl::Span<const QueryPlace> places,
                                    const QueryWeights& weights, const AttentionPreset& preset,
                                    int max_results);

}  // namespace attend
