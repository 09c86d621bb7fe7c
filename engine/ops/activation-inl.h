// The activations on one vector, for one instruction set; included once for each.
#if defined(ATTEND_OPS_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTEND_OPS_ACTIVATION_INL_H_
#undef ATTEND_OPS_ACTIVATION_INL_H_
#else
#define ATTEND_OPS_ACTIVATION_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "engine/ops/activation.h"

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// x / (1 + exp(-y)). exp is kept from overflowing into a NaN of infinity times zero.
template <class D, class V = hn::VFromD<D>>
HWY_INLINE V TimesSigmoid(D d, V x, V y) {
  const V power = hn::Min(hn::Neg(y), hn::Set(d, 88.0f));
  return hn::Div(x, hn::Add(hn::Set(d, 1.0f), hn::Exp(d, power)));
}

// erf within 1.5e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
template <class D, class V = hn::VFromD<D>>
HWY_INLINE V Erf(D d, V x) {
  const V a = hn::Abs(x);
  const V t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(hn::Set(d, 0.3275911f), a, hn::Set(d, 1.0f)));
  V p = hn::Set(d, 1.061405429f);
  p = hn::MulAdd(p, t, hn::Set(d, -1.453152027f));
  p = hn::MulAdd(p, t, hn::Set(d, 1.421413741f));
  p = hn::MulAdd(p, t, hn::Set(d, -0.284496736f));
  p = hn::MulAdd(p, t, hn::Set(d, 0.254829592f));
  const V tail = hn::Mul(hn::Mul(p, t), hn::Exp(d, hn::Neg(hn::Mul(a, a))));
  return hn::CopySign(hn::Sub(hn::Set(d, 1.0f), tail), x);
}

template <class D, class V = hn::VFromD<D>>
HWY_INLINE V Activate(D d, Activation activation, V x) {
  switch (activation) {
    case Activation::kRelu:
      return hn::Max(x, hn::Zero(d));
    case Activation::kGelu: {
      const V half = hn::Mul(x, hn::Set(d, 0.5f));
      return hn::MulAdd(half, Erf(d, hn::Mul(x, hn::Set(d, 0.70710678118f))), half);
    }
    case Activation::kGeluTanh: {
      // 0.5 x (1 + tanh z) = x sigmoid(2z), z = sqrt(2/pi) (x + 0.044715 x^3)
      const V cube = hn::Mul(hn::Mul(x, x), x);
      const V z = hn::MulAdd(cube, hn::Set(d, 0.044715f), x);
      return TimesSigmoid(d, x, hn::Mul(z, hn::Set(d, 1.59576912161f)));
    }
    case Activation::kSilu:
      return TimesSigmoid(d, x, x);
  }
  return x;
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#endif  // include guard toggled per target
