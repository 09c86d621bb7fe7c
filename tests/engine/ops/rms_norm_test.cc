// RMS norm against the definition, in and out of place.
#include "engine/ops/rms_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "engine/ops/op_threads.h"
#include "tests/engine/ops/reference_ops.h"

namespace attend {
namespace {

TEST(RmsNorm, EqualsTheReferenceOverOddWidths) {
  for (int64_t cols : {1, 2, 7, 8, 15, 16, 17, 33, 64, 100, 513}) {
    const Matrix scale = RandomMatrix(1, cols, 1), in = RandomMatrix(6, cols, 2),
                 residual = RandomMatrix(6, cols, 3);
    const size_t bytes = sizeof(float) * static_cast<size_t>(6 * cols);
    for (const bool with_residual : {false, true}) {
      const ConstMatrixView addend = with_residual ? residual.view() : ConstMatrixView{};
      Matrix out(6, cols);
      RmsNorm(in.view(), addend, {scale.data(), 1e-6f}, out.view());
      for (int64_t r = 0; r < 6; ++r) {
        double squares = 0;
        std::vector<double> x;
        for (int64_t c = 0; c < cols; ++c) {
          x.push_back(in.row(r)[c] + (with_residual ? residual.row(r)[c] : 0.0f));
          squares += x.back() * x.back();
        }
        const double root = std::sqrt(squares / static_cast<double>(cols) + 1e-6);
        for (int64_t c = 0; c < cols; ++c) {
          ASSERT_NEAR(out.row(r)[c], x[static_cast<size_t>(c)] / root * scale.data()[c], 2e-5)
              << cols << " columns, row " << r;
        }
      }
      // In place, and on two threads: the same bits.
      Matrix place(6, cols);
      std::memcpy(place.data(), in.data(), bytes);
      SetOpThreads(2);
      RmsNorm(place.view(), addend, {scale.data(), 1e-6f}, place.view());
      SetOpThreads(1);
      ASSERT_EQ(std::memcmp(place.data(), out.data(), bytes), 0);
    }
  }
}

}  // namespace
}  // namespace attend
