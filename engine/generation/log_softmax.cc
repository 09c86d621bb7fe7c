// Two passes: the largest entry, then the sum of exp(x - largest). Eight lanes side by side with a
// branch-free exp, so that the compiler can use whatever vectors the target has; blocks are summed
// in double, so that a vocabulary of a hundred thousand tokens loses no digits.
#include "engine/generation/log_softmax.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace attend {
namespace {

constexpr size_t kLanes = 8;
constexpr size_t kBlock = 64 * kLanes;

// exp(x) for x <= 0: 2^n * exp(r) with n the nearest integer to x / ln 2, by a Taylor polynomial in
// |r| <= ln(2) / 2. Below -87 (and for NaN) the smallest normal number stands for zero.
inline float ExpOfNonPositive(float x) {
  constexpr float kRound =
      12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low mantissa bits
  x = x > -87.0f ? x : -87.0f;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + 0x3f800000u;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

}  // namespace

float LogSumExp(absl::Span<const float> row) {
  const size_t whole = row.size() / kLanes * kLanes;
  float lanes[kLanes];
  for (float& lane : lanes) lane = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) lanes[j] = row[i + j] > lanes[j] ? row[i + j] : lanes[j];
  }
  float largest = -std::numeric_limits<float>::infinity();
  for (const float lane : lanes) largest = lane > largest ? lane : largest;
  for (size_t i = whole; i < row.size(); ++i) largest = row[i] > largest ? row[i] : largest;

  double sum = 0;
  for (size_t block = 0; block < whole; block += kBlock) {
    const size_t end = block + kBlock < whole ? block + kBlock : whole;
    for (float& lane : lanes) lane = 0;
    for (size_t i = block; i < end; i += kLanes) {
      for (size_t j = 0; j < kLanes; ++j) lanes[j] += ExpOfNonPositive(row[i + j] - largest);
    }
    for (const float lane : lanes) sum += static_cast<double>(lane);
  }
  for (size_t i = whole; i < row.size(); ++i)
    sum += static_cast<double>(ExpOfNonPositive(row[i] - largest));
  return largest + static_cast<float>(std::log(sum));
}

int32_t ArgMax(absl::Span<const float> row) {
  size_t best = 0;
  float largest = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i] > largest) {
      largest = row[i];
      best = i;
    }
  }
  return static_cast<int32_t>(best);
}

}  // namespace attend
