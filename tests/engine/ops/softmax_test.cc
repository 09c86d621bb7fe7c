// Softmax and log-sum-exp against the definition.
#include "engine/ops/softmax.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/engine/ops/reference_ops.h"

namespace attend {
namespace {

TEST(Softmax, EqualsTheReferenceOverOddLengths) {
  for (int64_t n : {1, 2, 3, 7, 8, 15, 16, 17, 33, 100, 1000}) {
    for (float spread : {0.1f, 1.0f, 30.0f, 1000.0f}) {
      Matrix row = RandomMatrix(1, n, static_cast<uint32_t>(n));
      std::vector<double> x;
      for (int64_t i = 0; i < n; ++i) x.push_back(row.data()[i] *= spread);
      const std::vector<double> expected = ReferenceSoftmax(x);
      double largest = x[0], sum = 0;
      for (double v : x) largest = std::max(largest, v);
      for (double v : x) sum += std::exp(v - largest);
      EXPECT_NEAR(LogSumExp(row.data(), n), largest + std::log(sum),
                  1e-6 * std::max(10.0, std::abs(largest)));
      SoftmaxRow(n, row.data());
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_NEAR(row.data()[i], expected[static_cast<size_t>(i)],
                    1e-6 + 2e-6 * expected[static_cast<size_t>(i)]);
      }
    }
  }
}

TEST(LogSumExp, MinusInfinityCountsAsNothing) {
  std::vector<float> row(37, -std::numeric_limits<float>::infinity());
  row[5] = 2.0f;
  row[36] = 2.0f;
  EXPECT_NEAR(LogSumExp(row.data(), 37), 2.0 + std::log(2.0), 1e-6);
}

}  // namespace
}  // namespace attend
