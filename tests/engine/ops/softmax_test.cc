// Softmax against the definition.
#include "engine/ops/softmax.h"

#include <gtest/gtest.h>

#include <cmath>
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
      SoftmaxRow(n, row.data());
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_NEAR(row.data()[i], expected[static_cast<size_t>(i)],
                    1e-6 + 2e-6 * expected[static_cast<size_t>(i)]);
      }
    }
  }
}

}  // namespace
}  // namespace attend
