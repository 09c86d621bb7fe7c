// Two passes as PyTorch has them: the mean first, then the variance about it, so that large means
// cost no precision. The sum with the residual is written to `out` in the first pass and read from
// there (cache) in the others.
#include "engine/ops/layer_norm.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "engine/ops/op_threads.h"
#include "engine/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/ops/layer_norm.cc"
#include <hwy/foreach_target.h>  // recompiles this file for every instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void NormRow(const float* in, const float* residual, const LayerNormWeights& weights, int64_t cols,
             float* out) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t whole = cols / lanes * lanes;

  auto sums = hn::Zero(d);
  float mean = 0;
  for (int64_t i = 0; i < whole; i += lanes) {
    auto x = hn::LoadU(d, in + i);
    if (residual != nullptr) x = hn::Add(x, hn::LoadU(d, residual + i));
    hn::StoreU(x, d, out + i);
    sums = hn::Add(sums, x);
  }
  for (int64_t i = whole; i < cols; ++i) {
    out[i] = residual != nullptr ? in[i] + residual[i] : in[i];
    mean += out[i];
  }
  mean = (mean + hn::GetLane(hn::SumOfLanes(d, sums))) / static_cast<float>(cols);

  const auto means = hn::Set(d, mean);
  sums = hn::Zero(d);
  float variance = 0;
  for (int64_t i = 0; i < whole; i += lanes) {
    const auto x = hn::Sub(hn::LoadU(d, out + i), means);
    sums = hn::MulAdd(x, x, sums);
  }
  for (int64_t i = whole; i < cols; ++i) variance += (out[i] - mean) * (out[i] - mean);
  variance = (variance + hn::GetLane(hn::SumOfLanes(d, sums))) / static_cast<float>(cols);

  const float factor = 1.0f / std::sqrt(variance + weights.eps);
  const auto factors = hn::Set(d, factor);
  for (int64_t i = 0; i < whole; i += lanes) {
    const auto x = hn::Mul(hn::Sub(hn::LoadU(d, out + i), means), factors);
    hn::StoreU(hn::MulAdd(x, hn::LoadU(d, weights.scale + i), hn::LoadU(d, weights.shift + i)), d,
               out + i);
  }
  for (int64_t i = whole; i < cols; ++i)
    out[i] = (out[i] - mean) * factor * weights.scale[i] + weights.shift[i];
}

void AddRow(const float* in, int64_t cols, float* inout) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= cols; i += lanes)
    hn::StoreU(hn::Add(hn::LoadU(d, in + i), hn::LoadU(d, inout + i)), d, inout + i);
  for (; i < cols; ++i) inout[i] += in[i];
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(NormRow);
HWY_EXPORT(AddRow);

namespace {
// Rows below which a second thread costs more than it brings.
int64_t Grain(int64_t cols) { return std::max<int64_t>(1, 65536 / std::max<int64_t>(1, cols)); }
}  // namespace

void LayerNorm(ConstMatrixView in, ConstMatrixView residual, const LayerNormWeights& weights,
               MatrixView out) {
  ATTEND_CHECK(in.rows == out.rows && in.cols == out.cols, "shapes of a layer norm");
  ATTEND_CHECK(residual.data == nullptr || (residual.rows == in.rows && residual.cols == in.cols),
               "shape of a residual");
  ParallelFor(in.rows, Grain(in.cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      HWY_DYNAMIC_DISPATCH(NormRow)
      (in.row(r), residual.data != nullptr ? residual.row(r) : nullptr, weights, in.cols,
       out.row(r));
    }
  });
}

void AddRows(ConstMatrixView in, MatrixView inout) {
  ATTEND_CHECK(in.rows == inout.rows && in.cols == inout.cols, "shapes of a sum");
  ParallelFor(in.rows, Grain(in.cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      HWY_DYNAMIC_DISPATCH(AddRow)(in.row(r), in.cols, inout.row(r));
  });
}

}  // namespace attend
#endif  // HWY_ONCE
