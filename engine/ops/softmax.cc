// The loops are in softmax-inl.h, because attention has them inside its own.
#include "engine/ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "engine/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/ops/softmax.cc"
#include <hwy/foreach_target.h>

#include "engine/ops/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {

void Softmax(int64_t n, float* row) { SoftmaxInPlace(n, row); }

float LogSum(const float* row, int64_t n) {
  const float largest = MaxOf(row, n);
  return largest + std::log(ExpSum(row, n, largest, nullptr));
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(Softmax);
HWY_EXPORT(LogSum);

void SoftmaxRow(int64_t n, float* row) {
  ATTEND_DCHECK(n >= 1, "softmax of nothing");
  HWY_DYNAMIC_DISPATCH(Softmax)(n, row);
}

float LogSumExp(const float* row, int64_t n) {
  ATTEND_DCHECK(n >= 1, "softmax of nothing");
  return HWY_DYNAMIC_DISPATCH(LogSum)(row, n);
}

}  // namespace attend
#endif  // HWY_ONCE
