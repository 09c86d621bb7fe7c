// Which model answers a query that names none.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "engine/tasks/attention_types.h"

namespace attend {

// A model with the preset that is asked for.
struct PresetCandidate {
  std::string model;
  AttentionPreset preset;
};

// Index of the best: the highest accuracy, then more examples, then the first by name; one without
// an accuracy comes after all that have one. REQUIRES: at least one.
size_t ChooseByFigure(absl::Span<const PresetCandidate> candidates);

}  // namespace attend
