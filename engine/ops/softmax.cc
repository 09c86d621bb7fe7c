// The loops are in softmax-inl.h, because attention has them inside its own.
#include "engine/ops/softmax.h"

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

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(Softmax);

void SoftmaxRow(int64_t n, float* row) {
  ATTEND_DCHECK(n >= 1, "softmax of nothing");
  HWY_DYNAMIC_DISPATCH(Softmax)(n, row);
}

}  // namespace attend
#endif  // HWY_ONCE
