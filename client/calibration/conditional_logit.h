// Choices among several options, each described by numbers, fitted by the weights of a log-linear
// model: the chance of an option is the softmax of the weighted sum of its features.
#pragma once

#include <cstddef>
#include <vector>

namespace attend::client {

struct Choice {
  std::vector<double> features;  // [option][feature]
  int num_options = 0;
  int answer = -1;  // the right option; -1 when it is not among them
};

// Weights of `num_features` that minimise the mean cross-entropy of the right options plus
// ridge * |weights|^2: one optimum, found by Newton's method, so that the same choices always give
// the same weights. Features outside `used` get the weight 0. Choices without an answer teach
// nothing.
std::vector<double> FitLogit(const std::vector<const Choice*>& choices, int num_features,
                             const std::vector<int>& used, double ridge);

// The option of the largest score, the first on a tie; -1 when there is none.
int BestOption(const Choice& choice, const std::vector<double>& weights);
// -ln of the chance of the right option. REQUIRES: it has one.
double CrossEntropy(const Choice& choice, const std::vector<double>& weights);

// The features that stay when `keep` may: those of the largest |weight| * standard deviation, in
// ascending order.
std::vector<int> StrongestFeatures(const std::vector<const Choice*>& choices,
                                   const std::vector<double>& weights, const std::vector<int>& used,
                                   std::size_t keep);

}  // namespace attend::client
