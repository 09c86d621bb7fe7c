// The normaliser and the largest entry against the definitions, over lengths around the lanes and
// blocks.
#include "engine/ops/logits.h"

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

TEST(ArgMaxTest, FindsTheFirstOfTheLargest) {
  std::mt19937 random(2);
  for (const size_t size : {1u, 2u, 15u, 16u, 17u, 64u, 65u, 100u, 1031u}) {
    std::vector<float> row(size);
    for (float& x : row) x = static_cast<float>(random() % 1000);
    for (size_t place = 0; place < size; place += 1 + size / 9) {
      std::vector<float> with = row;
      with[place] = 2000;
      with[size - 1] = 2000;
      EXPECT_EQ(ArgMax(with), static_cast<int32_t>(place)) << size;
    }
  }
}

TEST(ArgMaxTest, WhatIsNoNumberNeverWins) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const size_t size : {3u, 40u, 100u}) {
    std::vector<float> row(size, std::numeric_limits<float>::quiet_NaN());
    EXPECT_EQ(ArgMax(row), 0);
    row[size - 2] = -5;
    EXPECT_EQ(ArgMax(row), static_cast<int32_t>(size - 2));
    EXPECT_EQ(ArgMax(std::vector<float>(size, -inf)), 0);
  }
}

}  // namespace
}  // namespace attend
