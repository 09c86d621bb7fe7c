// Definitions, not algorithms.
#include "tests/engine/ops/reference_ops.h"

#include <algorithm>
#include <cmath>

namespace attend {

Matrix RandomMatrix(int64_t rows, int64_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Matrix matrix(rows, cols);
  for (int64_t i = 0; i < rows * cols; ++i) matrix.data()[i] = normal(random);
  return matrix;
}

double ReferenceActivation(std::optional<Activation> activation, double x) {
  if (!activation) return x;
  switch (*activation) {
    case Activation::kRelu:
      return std::max(0.0, x);
    case Activation::kGelu:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
  }
  return x;
}

std::vector<double> ReferenceDense(ConstMatrixView in, ConstMatrixView weight,
                                   const std::vector<float>& bias,
                                   std::optional<Activation> activation) {
  std::vector<double> out;
  for (int64_t r = 0; r < in.rows; ++r) {
    for (int64_t n = 0; n < weight.rows; ++n) {
      double sum = bias.empty() ? 0 : bias[static_cast<size_t>(n)];
      for (int64_t k = 0; k < in.cols; ++k)
        sum += static_cast<double>(in.row(r)[k]) * weight.row(n)[k];
      out.push_back(ReferenceActivation(activation, sum));
    }
  }
  return out;
}

std::vector<double> ReferenceSoftmax(const std::vector<double>& x) {
  const double largest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double v : x) sum += std::exp(v - largest);
  std::vector<double> out;
  for (double v : x) out.push_back(std::exp(v - largest) / sum);
  return out;
}

ReferenceAttentionResult ReferenceAttention(const ReferenceAttentionInput& input) {
  ReferenceAttentionResult result;
  const int64_t head_dim = input.keys.cols / input.num_heads;
  for (int64_t first = 0; first < input.keys.cols; first += head_dim) {
    std::vector<double> scores;
    for (int64_t t = 0; t < input.count; ++t) {
      double score = 0;
      for (int64_t i = first; i < first + head_dim; ++i) {
        score += static_cast<double>(input.query[i]) * input.keys.row(t)[i];
      }
      if (const DistanceBias* bias = input.bias) {
        const int64_t distance = std::clamp(t - input.position, -bias->reach, bias->reach);
        score += bias->values[first / head_dim * (2 * bias->reach + 1) + bias->reach + distance];
      }
      scores.push_back(score);
    }
    result.probabilities.push_back(ReferenceSoftmax(scores));
    for (int64_t i = first; i < first + head_dim; ++i) {
      double sum = 0;
      for (int64_t t = 0; t < input.count; ++t) {
        sum += result.probabilities.back()[static_cast<size_t>(t)] * input.values.row(t)[i];
      }
      result.out.push_back(sum);
    }
  }
  return result;
}

}  // namespace attend
