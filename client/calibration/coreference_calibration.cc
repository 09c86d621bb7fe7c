// Logarithms turn heads into evidence that adds up: a head that sees nothing at a place speaks
// against it, which a sum of attention cannot say.
#include "client/calibration/coreference_calibration.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace attend::client {
namespace {

constexpr std::array<double, 4> kRidges = {0.01, 0.03, 0.1, 0.3};
constexpr std::size_t kFolds = 10;

using Choices = std::vector<const Choice*>;

std::vector<double> FitPruned(const Choices& choices, int num_features, int max_terms,
                              double ridge) {
  std::vector<int> used(static_cast<std::size_t>(num_features));
  std::iota(used.begin(), used.end(), 0);
  std::vector<double> weights = FitLogit(choices, num_features, used, ridge);
  const auto keep = static_cast<std::size_t>(max_terms);
  // A fifth at a time: what a feature is worth shows only among those that stay.
  while (max_terms > 0 && used.size() > keep) {
    const std::size_t next = std::max(keep, used.size() * 4 / 5);
    used = StrongestFeatures(choices, weights, used, next);
    weights = FitLogit(choices, num_features, used, ridge);
  }
  return weights;
}

template <typename Score>
HitRate EvaluateScore(const std::vector<CoreferenceCase>& cases, bool held_out,
                      const Score& score) {
  HitRate rate;
  for (const CoreferenceCase& c : cases) {
    if (c.is_held_out != held_out) continue;
    int best = -1;
    double best_score = -std::numeric_limits<double>::infinity();
    for (int o = 0; o < c.choice.num_options; ++o) {
      const double value = score(c.choice, o);
      if (best >= 0 && value <= best_score) continue;
      best = o;
      best_score = value;
    }
    rate.Add(best >= 0 && best == c.choice.answer);
  }
  return rate;
}

double FeatureAt(const Choice& choice, int option, int feature, int num_heads) {
  return choice.features[static_cast<std::size_t>(option * 2 * num_heads + feature)];
}

}  // namespace

int FeatureOf(int head, bool to_query, int num_heads) { return to_query ? num_heads + head : head; }

CoreferenceFit FitCoreference(const std::vector<CoreferenceCase>& cases, int num_heads,
                              int max_terms, const std::function<bool(double)>& progress) {
  Choices all;
  for (const CoreferenceCase& c : cases) {
    if (!c.is_held_out) all.push_back(&c.choice);
  }
  const int num_features = 2 * num_heads;
  CoreferenceFit best;
  double best_loss = std::numeric_limits<double>::infinity();
  const double num_fits = static_cast<double>(kRidges.size() * kFolds + 1);
  double done = 0;
  for (const double ridge : kRidges) {
    HitRate rate;
    double loss = 0;
    for (std::size_t fold = 0; fold < kFolds; ++fold) {
      if (!progress(done++ / num_fits)) return {};
      Choices training;
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (i % kFolds != fold) training.push_back(all[i]);
      }
      const std::vector<double> weights = FitPruned(training, num_features, max_terms, ridge);
      for (std::size_t i = fold; i < all.size(); i += kFolds) {
        const int option = BestOption(*all[i], weights);
        rate.Add(option >= 0 && option == all[i]->answer);
        if (all[i]->answer >= 0) loss += CrossEntropy(*all[i], weights);
      }
    }
    if (loss >= best_loss) continue;
    best_loss = loss;
    best.ridge = ridge;
    best.cross_validated = rate;
  }
  if (!progress(done / num_fits)) return {};
  best.weights = FitPruned(all, num_features, max_terms, best.ridge);
  return best;
}

int BestFeature(const std::vector<CoreferenceCase>& cases, int num_heads) {
  int best = 0, most = -1;
  for (int feature = 0; feature < 2 * num_heads; ++feature) {
    const int hits = EvaluateFeature(cases, /*held_out=*/false, num_heads, feature).hits;
    if (hits <= most) continue;
    best = feature;
    most = hits;
  }
  return best;
}

HitRate Evaluate(const std::vector<CoreferenceCase>& cases, bool held_out,
                 const std::vector<double>& weights) {
  return EvaluateScore(cases, held_out, [&](const Choice& choice, int option) {
    const auto first = choice.features.begin() + static_cast<std::ptrdiff_t>(option) *
                                                     static_cast<std::ptrdiff_t>(weights.size());
    return std::inner_product(weights.begin(), weights.end(), first, 0.0);
  });
}

HitRate EvaluateFeature(const std::vector<CoreferenceCase>& cases, bool held_out, int num_heads,
                        int feature) {
  return EvaluateScore(cases, held_out, [&](const Choice& choice, int option) {
    return FeatureAt(choice, option, feature, num_heads);
  });
}

HitRate EvaluateMean(const std::vector<CoreferenceCase>& cases, bool held_out, int num_heads) {
  return EvaluateScore(cases, held_out, [&](const Choice& choice, int option) {
    double sum = 0;
    for (int head = 0; head < num_heads; ++head)
      sum += std::exp(FeatureAt(choice, option, head, num_heads)) - kLogFloor;
    return sum;
  });
}

}  // namespace attend::client
