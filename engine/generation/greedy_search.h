// Rows that do not compete: greedy search (one row) and sampling (num_return_sequences rows, each
// with its own draws).
#pragma once

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "engine/generation/search_state.h"

namespace attend {

// REQUIRES: options.num_beams == 1.
std::unique_ptr<SearchState> MakeGreedySearch(const GenerationOptions& options,
                                              absl::Span<const int32_t> source_ids,
                                              int64_t vocab_size);

}  // namespace attend
