// A search over some tokens of the vocabulary only. Scores, log-probabilities and samples are those
// of a model that has no other tokens: the softmax runs over the candidates.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "engine/generation/generation_options.h"
#include "engine/generation/search_state.h"

namespace attend {

// Tokens that a search with these options must be able to write or look at, whatever the source is:
// start and end tokens, the forced prefix, forced first and last tokens. In no order; may repeat.
std::vector<int32_t> RequiredTokens(const GenerationOptions& options);

// As MakeSearch, but Advance reads one column for each candidate, in their order. Everything that
// comes out (rows, settled tokens, hypotheses) holds vocabulary ids. REQUIRES: candidates
// ascending, without repetition, all of RequiredTokens among them.
std::unique_ptr<SearchState> MakeShortlistedSearch(const GenerationOptions& options,
                                                   absl::Span<const int32_t> source_ids,
                                                   absl::Span<const int32_t> candidates);

}  // namespace attend
