// When requests of an open loop arrive: at times of their own, whether or not earlier ones have
// been answered.
#pragma once

#include <cstdint>
#include <vector>

namespace attend::bench {

// Seconds from the start at which rate * seconds requests, at least one, arrive as a Poisson
// process. The same numbers as lib/figures.py gives, so that two servers see the same arrivals.
std::vector<double> PlanPoissonArrivals(double rate, double seconds, uint64_t seed);

}  // namespace attend::bench
