// Figures are compared as they stand in the model folders: they are worth comparing as far as they
// were measured on the same examples.
#include "engine/tasks/query/preset_routing.h"

#include <algorithm>
#include <tuple>

#include "engine/base/check.h"
#include "engine/tasks/attention_presets.h"

namespace attend {
namespace {

bool IsBetter(const PresetCandidate& a, const PresetCandidate& b) {
  const auto quality = [](const PresetCandidate& c) {
    const auto& figure = c.preset.figure;
    if (!figure || figure->metric != kAccuracyMetric) return std::make_tuple(-1.0, 0);
    return std::make_tuple(figure->value, figure->num_examples);
  };
  if (quality(a) != quality(b)) return quality(a) > quality(b);
  return a.model < b.model;
}

}  // namespace

size_t ChooseByFigure(absl::Span<const PresetCandidate> candidates) {
  ATTEND_CHECK(!candidates.empty(), "nothing to choose from");
  return static_cast<size_t>(std::min_element(candidates.begin(), candidates.end(), IsBetter) -
                             candidates.begin());
}

}  // namespace attend
