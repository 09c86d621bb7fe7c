#include "bench/arrivals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace attend::bench {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

// tests/tools/bench_test.py expects the same numbers of the peer's driver.
TEST(PlanPoissonArrivals, GivesTheNumbersThatPythonGives) {
  EXPECT_THAT(PlanPoissonArrivals(10, 0.4, 7),
              ElementsAre(DoubleNear(0.0494017, 1e-6), DoubleNear(0.0510948, 1e-6),
                          DoubleNear(0.2821169, 1e-6), DoubleNear(0.3695671, 1e-6)));
}

TEST(PlanPoissonArrivals, HasAtLeastOneAndGapsOfTheRightMeanAndSpread) {
  EXPECT_EQ(PlanPoissonArrivals(0.1, 1, 1).size(), 1u);
  const std::vector<double> arrivals = PlanPoissonArrivals(50, 400, 3);
  ASSERT_EQ(arrivals.size(), 20000u);
  double sum = 0, squares = 0, last = 0;
  for (const double at : arrivals) {
    ASSERT_GE(at, last);
    sum += at - last;
    squares += (at - last) * (at - last);
    last = at;
  }
  const double mean = sum / 20000, deviation = std::sqrt(squares / 20000 - mean * mean);
  EXPECT_NEAR(mean, 0.02, 0.0006);
  EXPECT_NEAR(deviation, 0.02, 0.001);  // an exponential's is its mean
}

}  // namespace
}  // namespace attend::bench
