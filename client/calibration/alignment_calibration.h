// Which heads of the cross attention link the words of a translation.
#pragma once

#include <vector>

#include "client/calibration/calibration_examples.h"

namespace attend::client {

// A pair as the model read it: for each head a matrix [target word][source word].
struct AlignmentCase {
  int num_source = 0, num_target = 0;
  std::vector<std::vector<float>> heads;
  std::vector<PharaohLink> links;
  bool is_held_out = false;
};

// The alignment error rate (Och and Ney 2003) of these heads' mean, each target word linked to the
// source word that it attends to most: 1 - (|A and sure| + |A and possible|) / (|A| + |sure|), over
// all cases of the half. 0 is best.
double AlignmentErrorRate(const std::vector<AlignmentCase>& cases, bool held_out,
                          const std::vector<int>& heads);

// Heads one after the other, each the one that lowers the error on what is not held out most, until
// none does or there are `max_heads`; the earlier head on a tie.
std::vector<int> ChooseHeads(const std::vector<AlignmentCase>& cases, int num_heads, int max_heads);

}  // namespace attend::client
