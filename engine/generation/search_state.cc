// Which search an option set means.
#include "engine/generation/search_state.h"

#include "engine/base/check.h"
#include "engine/generation/beam_search.h"
#include "engine/generation/greedy_search.h"

namespace attend {

std::unique_ptr<SearchState> MakeSearch(const GenerationOptions& options,
                                        absl::Span<const int32_t> source_ids, int64_t vocab_size) {
  ATTEND_CHECK(options.num_beams >= 1 && options.num_return_sequences >= 1 && vocab_size >= 1 &&
                   options.max_length >= 2,
               "generation options were not resolved");
  if (options.num_beams == 1) return MakeGreedySearch(options, source_ids, vocab_size);
  ATTEND_CHECK(!options.sampling, "sampling has no beams");
  return MakeBeamSearch(options, source_ids, vocab_size);
}

}  // namespace attend
