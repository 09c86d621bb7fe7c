// The normaliser and the largest entry against the definitions, over lengths around the lanes and
// blocks.
#include "engine/ops/logits.h"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "engine/ops/simd_level.h"
#include "gtest/gtest.h"
#include "tests/engine/ops/simd_level_fixture.h"

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

class LogitsAtEverySimdLevel : public SimdLevelFixture {};
INSTANTIATE_TEST_SUITE_P(Simd, LogitsAtEverySimdLevel, ::testing::ValuesIn(SimdLevels()),
                         NameOfLevel);

TEST_P(LogitsAtEverySimdLevel, TheSummaryIsOfTheSameBits) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::mt19937 random(4);
  for (const size_t size : {1u, 2u, 7u, 8u, 9u, 33u, 2047u, 2048u, 2049u, 4100u, 10001u}) {
    for (const float odd : {0.0f, -0.0f, nan, -inf, inf, 8.0f}) {
      for (int round = 0; round < 20; ++round) {
        std::vector<float> row(size, -inf);
        const unsigned among = round % 2 == 0 ? 3 : 3000;
        for (float& x : row) {
          // Few values, so that the largest comes several times, in one block and in others.
          if (round % 5 != 4) x = -static_cast<float>(random() % 2000) / 16;
          if (random() % among == 0) x = odd;
        }
        size_t first = 0;
        for (size_t i = 0; i < size; ++i) {
          if (row[i] > row[first] || (std::isnan(row[first]) && row[i] > -inf)) first = i;
        }
        if (std::isnan(row[first])) first = 0;
        const RowSummary summary = Summarise(row);
        EXPECT_EQ(summary.arg_max, static_cast<int32_t>(first)) << size << " " << odd;
        EXPECT_EQ(summary.arg_max, ArgMax(row));
        EXPECT_EQ(summary.largest, std::isnan(row[first]) ? -inf : row[first]);
        EXPECT_EQ(summary.log_sum_exp, LogSumExp(row)) << size << " " << odd;
      }
    }
  }
}

// All that are above, by a plain loop and by jumping from one to the next.
void ExpectSameFinds(const std::vector<float>& row, float subtract, float add, float threshold) {
  std::vector<int64_t> expected, found;
  const auto n = static_cast<int64_t>(row.size());
  for (int64_t i = 0; i < n; ++i) {
    const float shifted = row[static_cast<size_t>(i)] - subtract;
    const float score = shifted + add;
    if (score > threshold) expected.push_back(i);
  }
  for (int64_t i = NextAbove(row, 0, subtract, add, threshold); i < n;
       i = NextAbove(row, i + 1, subtract, add, threshold)) {
    found.push_back(i);
  }
  EXPECT_EQ(expected, found) << row.size() << " " << subtract << " " << add << " " << threshold;
  EXPECT_EQ(NextAbove(row, n, subtract, add, threshold), n);
}

TEST_P(LogitsAtEverySimdLevel, NextAboveEqualsAPlainLoop) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::mt19937 random(3);
  for (const size_t size :
       {0u, 1u, 2u, 3u, 4u, 5u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 33u, 63u, 64u, 65u, 130u, 1031u}) {
    for (const unsigned among : {2u, 20u, 400u}) {
      std::vector<float> row(size);
      for (float& x : row) {
        const float odd[] = {nan, -inf, 7.0f, 7.0f, 7.1f, inf};  // 7 ties with a threshold
        x = random() % among == 0 ? odd[random() % 6] : static_cast<float>(random() % 400) / 100;
      }
      for (const float threshold : {-inf, 3.5f, 3.9f, 7.0f, inf, nan}) {
        ExpectSameFinds(row, 0, 0, threshold);
        ExpectSameFinds(row, 1.7f, 0.3f, threshold - 1.4f);
        ExpectSameFinds(row, 9.3f, -1e9f, threshold - 1e9f);  // where rounding makes ties
        ExpectSameFinds(row, -inf, 2, threshold);
        ExpectSameFinds(row, 2, -inf, threshold);
      }
    }
  }
}

TEST_P(LogitsAtEverySimdLevel, NextAboveRoundsAfterEachStep) {
  // 1 - 1e8 loses the 1, and adding 1e8 does not bring it back; in another order it would be kept.
  for (const size_t size : {1u, 4u, 16u, 33u, 100u}) {
    const std::vector<float> row(size, 1.0f);
    EXPECT_EQ(NextAbove(row, 0, 1e8f, 1e8f, 0.5f), static_cast<int64_t>(size));
    EXPECT_EQ(NextAbove(row, 0, 0, 0, 0.5f), 0);
  }
}

}  // namespace
}  // namespace attend
