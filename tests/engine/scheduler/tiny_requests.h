// The tiny model's sources, and options for requests that end or do not.
#pragma once

#include <vector>

#include "tests/engine/scheduler/marian_tiny.h"

namespace attend {

inline const Model* TheModel() { return MarianTiny::Get().model.get(); }
inline const std::vector<int32_t>& Source(size_t i) { return MarianTiny::Get().sources[i]; }

inline GenerationOptions Greedy(int max_length = 64) {
  GenerationOptions options = MarianTiny::Get().defaults;
  options.num_beams = 1;
  options.max_length = max_length;
  return options;
}

// Never ends before max_length.
inline GenerationOptions Endless() {
  GenerationOptions options = Greedy(120);
  options.min_length = 119;
  return options;
}

}  // namespace attend
