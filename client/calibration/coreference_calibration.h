// Which heads say what a pronoun refers to: weights for every head in both directions, fitted to
// examples.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "client/calibration/calibration_report.h"
#include "client/calibration/conditional_logit.h"

namespace attend::client {

// An example as the model read it. Features of a place: for each head ln(kLogFloor + what the
// pronoun gives it), then for each head ln(kLogFloor + what it gives the pronoun).
struct CoreferenceCase {
  Choice choice;
  // Whether the baselines find the antecedent; absent where the example does not say.
  std::optional<bool> nearest_noun, subject;
  bool nearest_word = false;
  bool is_held_out = false;
};

inline constexpr double kLogFloor = 0.01;

// One head in one direction.
int FeatureOf(int head, bool to_query, int num_heads);

struct CoreferenceFit {
  std::vector<double> weights;  // by feature; 0 for those left out
  double ridge = 0;
  HitRate cross_validated;
};

// Fits to the cases that are not held out. The ridge is the one of the least cross-validated loss
// (ten folds: case index modulo 10); at most `max_terms` features keep a weight (0: all do).
// `progress` is called with the share that is done; it gives false to stop, and then the fit is
// empty.
CoreferenceFit FitCoreference(const std::vector<CoreferenceCase>& cases, int num_heads,
                              int max_terms, const std::function<bool(double)>& progress);

// The feature that is right most often where nothing is held out, the first on a tie: the best
// single head.
int BestFeature(const std::vector<CoreferenceCase>& cases, int num_heads);

// Hits of the weights, of one feature, and of the mean attention of all heads from the pronoun.
HitRate Evaluate(const std::vector<CoreferenceCase>& cases, bool held_out,
                 const std::vector<double>& weights);
HitRate EvaluateFeature(const std::vector<CoreferenceCase>& cases, bool held_out, int num_heads,
                        int feature);
HitRate EvaluateMean(const std::vector<CoreferenceCase>& cases, bool held_out, int num_heads);

}  // namespace attend::client
