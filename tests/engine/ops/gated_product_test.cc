// The gated product against the definition.
#include "engine/ops/gated_product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "engine/ops/op_threads.h"
#include "tests/engine/ops/reference_ops.h"

namespace attend {
namespace {

TEST(GatedProduct, EqualsTheReferenceOverOddWidths) {
  for (const Activation activation :
       {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kSilu}) {
    for (int64_t cols : {1, 3, 8, 15, 16, 17, 80, 1000}) {
      const Matrix in = RandomMatrix(40, 2 * cols, 1);
      Matrix out(40, cols), threaded(40, cols);
      GatedProduct(activation, in.view(), out.view());
      for (int64_t r = 0; r < 40; ++r) {
        for (int64_t c = 0; c < cols; ++c) {
          const double expected = ReferenceActivation(activation, in.row(r)[c]) *
                                  static_cast<double>(in.row(r)[cols + c]);
          ASSERT_NEAR(out.row(r)[c], expected, 2e-6 * (1 + std::abs(expected)))
              << Name(activation) << " " << cols;
        }
      }
      SetOpThreads(3);
      GatedProduct(activation, in.view(), threaded.view());
      SetOpThreads(1);
      ASSERT_EQ(
          std::memcmp(out.data(), threaded.data(), sizeof(float) * static_cast<size_t>(40 * cols)),
          0);
    }
  }
}

// A number's bits do not depend on the lane that it falls into.
TEST(GatedProduct, TheEndOfARowIsLikeItsMiddle) {
  const Matrix in = RandomMatrix(1, 2 * 64, 1);
  Matrix whole(1, 64);
  GatedProduct(Activation::kGeluTanh, in.view(), whole.view());
  for (int64_t cols = 1; cols < 64; ++cols) {
    Matrix part(1, 2 * cols), out(1, cols);
    for (int64_t c = 0; c < cols; ++c) {
      part.data()[c] = in.data()[c];
      part.data()[cols + c] = in.data()[64 + c];
    }
    GatedProduct(Activation::kGeluTanh, part.view(), out.view());
    for (int64_t c = 0; c < cols; ++c) ASSERT_EQ(out.data()[c], whole.data()[c]) << cols;
  }
}

}  // namespace
}  // namespace attend
