// Layer norm and sums against the definition, in and out of place.
#include "engine/ops/layer_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/ops/op_threads.h"
#include "tests/engine/ops/reference_ops.h"

namespace attend {
namespace {

TEST(LayerNorm, EqualsTheReferenceOverOddWidths) {
  for (int64_t cols : {1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 192, 513}) {
    const Matrix scale = RandomMatrix(1, cols, 1), shift = RandomMatrix(1, cols, 2);
    Matrix in = RandomMatrix(6, cols, 3);
    const Matrix residual = RandomMatrix(6, cols, 4);
    for (int64_t c = 0; c < cols; ++c)
      in.row(5)[c] += 1000;  // a large mean must cost no precision of the variance
    for (bool with_residual : {false, true}) {
      Matrix out(6, cols);
      LayerNorm(in.view(), with_residual ? residual.view() : ConstMatrixView{},
                {scale.data(), shift.data(), 1e-5f}, out.view());
      for (int64_t r = 0; r < 6; ++r) {
        double mean = 0, variance = 0;
        std::vector<double> x;
        for (int64_t c = 0; c < cols; ++c) {
          x.push_back(static_cast<double>(in.row(r)[c]) +
                      (with_residual ? residual.row(r)[c] : 0.0f));
          mean += x.back();
        }
        mean /= static_cast<double>(cols);
        for (double v : x) variance += (v - mean) * (v - mean);
        variance /= static_cast<double>(cols);
        for (int64_t c = 0; c < cols; ++c) {
          const double expected =
              (x[static_cast<size_t>(c)] - mean) / std::sqrt(variance + 1e-5) * scale.data()[c] +
              shift.data()[c];
          ASSERT_NEAR(out.row(r)[c], expected, r == 5 ? 2e-2 : 2e-5)
              << cols << " columns, row " << r;
        }
      }
      // In place, and each row alone, on two threads: the same bits.
      Matrix place(6, cols);
      std::memcpy(place.data(), in.data(), sizeof(float) * static_cast<size_t>(6 * cols));
      SetOpThreads(2);
      LayerNorm(place.view(), with_residual ? residual.view() : ConstMatrixView{},
                {scale.data(), shift.data(), 1e-5f}, place.view());
      SetOpThreads(1);
      ASSERT_EQ(
          std::memcmp(place.data(), out.data(), sizeof(float) * static_cast<size_t>(6 * cols)), 0);
      for (int64_t r = 0; r < 6; ++r) {
        Matrix one(1, cols);
        LayerNorm(
            {in.row(r), 1, cols, cols},
            with_residual ? ConstMatrixView{residual.row(r), 1, cols, cols} : ConstMatrixView{},
            {scale.data(), shift.data(), 1e-5f}, one.view());
        ASSERT_EQ(std::memcmp(one.data(), out.row(r), sizeof(float) * static_cast<size_t>(cols)),
                  0);
      }
    }
  }
}

TEST(AddRows, AddsEveryElementOnce) {
  for (int64_t cols : {1, 5, 16, 17, 100}) {
    const Matrix in = RandomMatrix(3, cols, 5), before = RandomMatrix(3, cols, 6);
    Matrix inout = RandomMatrix(3, cols, 6);
    AddRows(in.view(), inout.view());
    for (int64_t i = 0; i < 3 * cols; ++i)
      ASSERT_EQ(inout.data()[i], in.data()[i] + before.data()[i]);
  }
}

}  // namespace
}  // namespace attend
