// The same operations written as naively as possible, in float64: what the fast ones are compared
// with.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "engine/ops/activation.h"
#include "engine/ops/attention.h"  // DistanceBias
#include "engine/tensor/matrix.h"

namespace attend {

// Normally distributed numbers, the same for the same seed.
Matrix RandomMatrix(int64_t rows, int64_t cols, uint32_t seed);

double ReferenceActivation(std::optional<Activation> activation, double x);
// activation(in * weight^T + bias); bias may be empty.
std::vector<double> ReferenceDense(ConstMatrixView in, ConstMatrixView weight,
                                   const std::vector<float>& bias,
                                   std::optional<Activation> activation);
std::vector<double> ReferenceSoftmax(const std::vector<double>& x);

// One query over keys and values: [num_heads][keys] probabilities and [hidden] output.
struct ReferenceAttentionResult {
  std::vector<std::vector<double>> probabilities;
  std::vector<double> out;
};
struct ReferenceAttentionInput {
  const float* query;
  ConstMatrixView keys, values;
  int num_heads;
  int64_t count;  // how many keys are seen
  const DistanceBias* bias = nullptr;
  int64_t position = 0;  // the query's, for the bias
};
ReferenceAttentionResult ReferenceAttention(const ReferenceAttentionInput& input);

}  // namespace attend
