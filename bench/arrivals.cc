#include "bench/arrivals.h"

#include <algorithm>
#include <cmath>

namespace attend::bench {
namespace {

// Steele's SplitMix64: a few lines in any language, and the same numbers in each.
uint64_t NextRandom(uint64_t* state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace

std::vector<double> PlanPoissonArrivals(double rate, double seconds, uint64_t seed) {
  std::vector<double> arrivals(static_cast<size_t>(std::max(1.0, std::floor(rate * seconds))));
  double at = 0;
  for (double& arrival : arrivals) {
    const double uniform = static_cast<double>(NextRandom(&seed) >> 11) * 0x1p-53;  // in [0, 1)
    at += -std::log1p(-uniform) / rate;
    arrival = at;
  }
  return arrivals;
}

}  // namespace attend::bench
