// Beam search exactly as transformers 4.48 does it, ties, candidates and stopping rules included.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "engine/generation/search_state.h"

namespace attend {

// REQUIRES: options.num_beams > 1 and no sampling.
std::unique_ptr<SearchState> MakeBeamSearch(const GenerationOptions& options,
                                            absl::Span<const int32_t> source_ids,
                                            int64_t vocab_size);

}  // namespace attend
