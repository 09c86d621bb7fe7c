// The objective is strictly convex, its Hessian positive definite by the ridge: Newton's steps,
// halved where they overshoot, arrive in some ten rounds, and a Cholesky factor solves each.
#include "client/calibration/conditional_logit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace attend::client {
namespace {

constexpr int kMaxSteps = 50;
constexpr double kSmallStep = 1e-9;

// The square matrix `a` times x is b; a is overwritten by its factor, b by x.
void SolvePositive(std::vector<double>* a, std::vector<double>* b) {
  const std::size_t n = b->size();
  std::vector<double>& m = *a;
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = j; i < n; ++i) {
      double sum = m[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= m[i * n + k] * m[j * n + k];
      m[i * n + j] = i == j ? std::sqrt(std::max(sum, 1e-300)) : sum / m[j * n + j];
    }
  }
  std::vector<double>& x = *b;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) x[i] -= m[i * n + k] * x[k];
    x[i] /= m[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) x[i] -= m[k * n + i] * x[k];
    x[i] /= m[i * n + i];
  }
}

double Score(const double* features, const std::vector<double>& weights) {
  return std::inner_product(weights.begin(), weights.end(), features, 0.0);
}

// Softmax of the options' scores; `loss` gets -ln of the answer's part.
std::vector<double> Chances(const Choice& choice, const std::vector<double>& weights,
                            double* loss) {
  const std::size_t width = weights.size();
  std::vector<double> chances;
  for (int o = 0; o < choice.num_options; ++o) {
    chances.push_back(Score(choice.features.data() + static_cast<std::size_t>(o) * width, weights));
  }
  const double largest = *std::max_element(chances.begin(), chances.end());
  double sum = 0;
  const double answer = chances[static_cast<std::size_t>(choice.answer)] - largest;
  for (double& chance : chances) sum += chance = std::exp(chance - largest);
  for (double& chance : chances) chance /= sum;
  *loss = std::log(sum) - answer;
  return chances;
}

// The choices that teach, with the used features only.
std::vector<Choice> Narrow(const std::vector<const Choice*>& choices, int num_features,
                           const std::vector<int>& used) {
  std::vector<Choice> narrow;
  for (const Choice* choice : choices) {
    if (choice->answer < 0) continue;
    Choice copy;
    copy.num_options = choice->num_options;
    copy.answer = choice->answer;
    for (int o = 0; o < choice->num_options; ++o) {
      for (const int f : used)
        copy.features.push_back(choice->features[static_cast<std::size_t>(o * num_features + f)]);
    }
    narrow.push_back(std::move(copy));
  }
  return narrow;
}

double Objective(const std::vector<Choice>& choices, const std::vector<double>& weights,
                 double ridge) {
  double sum = 0;
  for (const Choice& choice : choices) {
    double loss = 0;
    Chances(choice, weights, &loss);
    sum += loss;
  }
  return sum / static_cast<double>(choices.size()) +
         ridge * std::inner_product(weights.begin(), weights.end(), weights.begin(), 0.0);
}

// Adds to the gradient and the lower half of the Hessian what one choice has to say.
void AddCurvature(const Choice& choice, const std::vector<double>& weights, double share,
                  std::vector<double>* gradient, std::vector<double>* hessian) {
  const std::size_t n = weights.size();
  double loss = 0;
  const std::vector<double> chances = Chances(choice, weights, &loss);
  std::vector<double> mean(n, 0.0);
  for (std::size_t o = 0; o < chances.size(); ++o) {
    for (std::size_t f = 0; f < n; ++f) mean[f] += chances[o] * choice.features[o * n + f];
  }
  const double* answer = choice.features.data() + static_cast<std::size_t>(choice.answer) * n;
  for (std::size_t f = 0; f < n; ++f) (*gradient)[f] += share * (mean[f] - answer[f]);
  std::vector<double> apart(n);
  for (std::size_t o = 0; o < chances.size(); ++o) {
    for (std::size_t f = 0; f < n; ++f) apart[f] = choice.features[o * n + f] - mean[f];
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = share * chances[o] * apart[i];
      for (std::size_t j = 0; j <= i; ++j) (*hessian)[i * n + j] += factor * apart[j];
    }
  }
}

}  // namespace

std::vector<double> FitLogit(const std::vector<const Choice*>& choices, int num_features,
                             const std::vector<int>& used, double ridge) {
  std::vector<double> out(static_cast<std::size_t>(num_features), 0.0);
  const std::vector<Choice> narrow = Narrow(choices, num_features, used);
  if (narrow.empty() || used.empty()) return out;
  const std::size_t n = used.size();
  const double share = 1.0 / static_cast<double>(narrow.size());
  std::vector<double> weights(n, 0.0);
  double objective = Objective(narrow, weights, ridge);
  for (int step = 0; step < kMaxSteps; ++step) {
    std::vector<double> direction(n), hessian(n * n, 0.0);
    for (std::size_t f = 0; f < n; ++f) {
      direction[f] = 2 * ridge * weights[f];
      hessian[f * n + f] = 2 * ridge;
    }
    for (const Choice& choice : narrow) AddCurvature(choice, weights, share, &direction, &hessian);
    SolvePositive(&hessian, &direction);
    double length = 1, largest = 0;
    std::vector<double> next(n);
    double value = 0;
    for (; length > 1e-8; length /= 2) {
      for (std::size_t f = 0; f < n; ++f) next[f] = weights[f] - length * direction[f];
      value = Objective(narrow, next, ridge);
      if (value <= objective) break;
    }
    if (value > objective) break;  // as good as it gets in this arithmetic
    for (const double d : direction) largest = std::max(largest, std::abs(d));
    weights = next;
    objective = value;
    if (largest < kSmallStep) break;
  }
  for (std::size_t f = 0; f < n; ++f) out[static_cast<std::size_t>(used[f])] = weights[f];
  return out;
}

int BestOption(const Choice& choice, const std::vector<double>& weights) {
  int best = -1;
  double best_score = -std::numeric_limits<double>::infinity();
  for (int o = 0; o < choice.num_options; ++o) {
    const double score =
        Score(choice.features.data() + static_cast<std::size_t>(o) * weights.size(), weights);
    if (best >= 0 && score <= best_score) continue;
    best = o;
    best_score = score;
  }
  return best;
}

double CrossEntropy(const Choice& choice, const std::vector<double>& weights) {
  double loss = 0;
  Chances(choice, weights, &loss);
  return loss;
}

std::vector<int> StrongestFeatures(const std::vector<const Choice*>& choices,
                                   const std::vector<double>& weights, const std::vector<int>& used,
                                   std::size_t keep) {
  std::vector<double> strength(weights.size(), 0.0);
  for (const int f : used) {
    double count = 0, sum = 0, squares = 0;
    for (const Choice* choice : choices) {
      for (int o = 0; o < choice->num_options; ++o) {
        const double x = choice->features[static_cast<std::size_t>(o) * weights.size() +
                                          static_cast<std::size_t>(f)];
        ++count;
        sum += x;
        squares += x * x;
      }
    }
    const double mean = count > 0 ? sum / count : 0;
    const double variance = count > 0 ? std::max(0.0, squares / count - mean * mean) : 0;
    strength[static_cast<std::size_t>(f)] =
        std::abs(weights[static_cast<std::size_t>(f)]) * std::sqrt(variance);
  }
  std::vector<int> order = used;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return strength[static_cast<std::size_t>(a)] > strength[static_cast<std::size_t>(b)];
  });
  if (order.size() > keep) order.resize(keep);
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace attend::client
