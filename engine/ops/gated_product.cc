// The last, partial vector of a row is computed as a whole one, so that a number's bits do not
// depend on the lane it falls into.
#include "engine/ops/gated_product.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/ops/op_threads.h"
#include "engine/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/ops/gated_product.cc"
#include <hwy/foreach_target.h>  // recompiles this file for every instruction set
#include <hwy/highway.h>

#include "engine/ops/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void GateRow(Activation activation, const float* in, int64_t cols, float* out) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= cols; i += lanes) {
    const auto gate = Activate(d, activation, hn::LoadU(d, in + i));
    hn::StoreU(hn::Mul(gate, hn::LoadU(d, in + cols + i)), d, out + i);
  }
  if (i == cols) return;
  HWY_ALIGN float gates[HWY_MAX_BYTES / sizeof(float)] = {};
  HWY_ALIGN float others[HWY_MAX_BYTES / sizeof(float)] = {};
  std::copy(in + i, in + cols, gates);
  std::copy(in + cols + i, in + 2 * cols, others);
  hn::Store(hn::Mul(Activate(d, activation, hn::Load(d, gates)), hn::Load(d, others)), d, gates);
  std::copy(gates, gates + (cols - i), out + i);
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(GateRow);

void GatedProduct(Activation activation, ConstMatrixView in, MatrixView out) {
  ATTEND_CHECK(in.rows == out.rows && in.cols == 2 * out.cols, "shapes of a gated product");
  // Rows below which a second thread costs more than it brings.
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, out.cols));
  ParallelFor(in.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      HWY_DYNAMIC_DISPATCH(GateRow)(activation, in.row(r), out.cols, out.row(r));
  });
}

}  // namespace attend
#endif  // HWY_ONCE
