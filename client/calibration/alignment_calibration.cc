// Greedy: heads that align are few and mostly redundant, so the first steps find what there is.
#include "client/calibration/alignment_calibration.h"

#include <algorithm>
#include <cstddef>

namespace attend::client {
namespace {

constexpr double kLeastGain = 1e-9;

int BestSource(const AlignmentCase& c, int target, const std::vector<int>& heads) {
  int best = 0;
  double best_weight = -1;
  for (int source = 0; source < c.num_source; ++source) {
    double weight = 0;
    for (const int head : heads) {
      weight +=
          static_cast<double>(c.heads[static_cast<std::size_t>(head)]
                                     [static_cast<std::size_t>(target * c.num_source + source)]);
    }
    if (weight <= best_weight) continue;
    best = source;
    best_weight = weight;
  }
  return best;
}

}  // namespace

double AlignmentErrorRate(const std::vector<AlignmentCase>& cases, bool held_out,
                          const std::vector<int>& heads) {
  double sure_hits = 0, possible_hits = 0, drawn = 0, sure = 0;
  for (const AlignmentCase& c : cases) {
    if (c.is_held_out != held_out) continue;
    for (const PharaohLink& link : c.links) sure += link.is_sure ? 1 : 0;
    for (int target = 0; target < c.num_target; ++target) {
      const auto source = static_cast<uint32_t>(BestSource(c, target, heads));
      ++drawn;
      const auto found = std::find_if(c.links.begin(), c.links.end(), [&](const PharaohLink& l) {
        return l.source == source && l.target == static_cast<uint32_t>(target);
      });
      if (found == c.links.end()) continue;
      ++possible_hits;
      if (found->is_sure) ++sure_hits;
    }
  }
  return drawn + sure == 0 ? 1 : 1 - (sure_hits + possible_hits) / (drawn + sure);
}

std::vector<int> ChooseHeads(const std::vector<AlignmentCase>& cases, int num_heads,
                             int max_heads) {
  std::vector<int> chosen;
  double error = 2;
  while (static_cast<int>(chosen.size()) < max_heads) {
    int best = -1;
    double best_error = error - kLeastGain;
    for (int head = 0; head < num_heads; ++head) {
      if (std::find(chosen.begin(), chosen.end(), head) != chosen.end()) continue;
      std::vector<int> more = chosen;
      more.push_back(head);
      const double value = AlignmentErrorRate(cases, /*held_out=*/false, more);
      if (value >= best_error) continue;
      best = head;
      best_error = value;
    }
    if (best < 0) break;
    chosen.push_back(best);
    error = best_error;
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace attend::client
