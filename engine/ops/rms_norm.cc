// As ops/layer_norm.cc, with nothing to subtract: the sum of squares is part of the first pass.
#include "engine/ops/rms_norm.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "engine/ops/op_threads.h"
#include "engine/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/ops/rms_norm.cc"
#include <hwy/foreach_target.h>  // recompiles this file for every instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void RmsNormRow(const float* in, const float* residual, const RmsNormWeights& weights, int64_t cols,
                float* out) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t whole = cols / lanes * lanes;

  auto sums = hn::Zero(d);
  float squares = 0;
  for (int64_t i = 0; i < whole; i += lanes) {
    auto x = hn::LoadU(d, in + i);
    if (residual != nullptr) x = hn::Add(x, hn::LoadU(d, residual + i));
    hn::StoreU(x, d, out + i);
    sums = hn::MulAdd(x, x, sums);
  }
  for (int64_t i = whole; i < cols; ++i) {
    out[i] = residual != nullptr ? in[i] + residual[i] : in[i];
    squares += out[i] * out[i];
  }
  squares = (squares + hn::GetLane(hn::SumOfLanes(d, sums))) / static_cast<float>(cols);

  const float factor = 1.0f / std::sqrt(squares + weights.eps);
  const auto factors = hn::Set(d, factor);
  for (int64_t i = 0; i < whole; i += lanes) {
    const auto x = hn::Mul(hn::LoadU(d, out + i), factors);
    hn::StoreU(hn::Mul(x, hn::LoadU(d, weights.scale + i)), d, out + i);
  }
  for (int64_t i = whole; i < cols; ++i) out[i] = out[i] * factor * weights.scale[i];
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(RmsNormRow);

void RmsNorm(ConstMatrixView in, ConstMatrixView residual, const RmsNormWeights& weights,
             MatrixView out) {
  ATTEND_CHECK(in.rows == out.rows && in.cols == out.cols, "shapes of an RMS norm");
  ATTEND_CHECK(residual.data == nullptr || (residual.rows == in.rows && residual.cols == in.cols),
               "shape of a residual");
  // Rows below which a second thread costs more than it brings.
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, in.cols));
  ParallelFor(in.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      HWY_DYNAMIC_DISPATCH(RmsNormRow)
      (in.row(r), residual.data != nullptr ? residual.row(r) : nullptr, weights, in.cols,
       out.row(r));
    }
  });
}

}  // namespace attend
#endif  // HWY_ONCE
