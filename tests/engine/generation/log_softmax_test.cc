// LogSumExp against the same sum in double, over lengths around the lanes and blocks.
#include "engine/generation/log_softmax.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace attend {
namespace {

double Exact(const std::vector<float>& row) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const float x : row) largest = std::max(largest, static_cast<double>(x));
  double sum = 0;
  for (const float x : row) sum += std::exp(static_cast<double>(x) - largest);
  return largest + std::log(sum);
}

TEST(LogSumExpTest, EqualsTheSumInDouble) {
  std::mt19937 random(1);
  for (const size_t size : {1u, 2u, 7u, 8u, 9u, 63u, 511u, 512u, 513u, 1031u, 8001u, 60000u}) {
    for (const float spread : {0.01f, 1.0f, 10.0f, 200.0f}) {
      std::normal_distribution<float> normal(3.0f, spread);
      std::vector<float> row(size);
      for (float& x : row) x = normal(random);
      const double exact = Exact(row);
      EXPECT_NEAR(LogSumExp(row), exact, 1e-6 * std::max(1.0, std::fabs(exact)))
          << size << " " << spread;
    }
  }
}

TEST(LogSumExpTest, ImpossibleEntriesCountNothing) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> row(20, -inf);
  row[3] = 2.0f;
  row[19] = 2.0f;
  EXPECT_NEAR(LogSumExp(row), 2.0 + std::log(2.0), 1e-6);
  row[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NEAR(LogSumExp(row), 2.0 + std::log(2.0), 1e-6);
  EXPECT_EQ(LogSumExp(std::vector<float>(9, -inf)), -inf);
}

}  // namespace
}  // namespace attend
