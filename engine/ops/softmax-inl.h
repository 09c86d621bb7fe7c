// The softmax loops for one instruction set; included by softmax.cc and attention.cc, once for
// each.
#if defined(ATTEND_OPS_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTEND_OPS_SOFTMAX_INL_H_
#undef ATTEND_OPS_SOFTMAX_INL_H_
#else
#define ATTEND_OPS_SOFTMAX_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cmath>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline float MaxOf(const float* row, int64_t n) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  float largest = -std::numeric_limits<float>::infinity();
  int64_t i = 0;
  if (n >= lanes) {
    auto most = hn::LoadU(d, row);
    for (i = lanes; i + lanes <= n; i += lanes) most = hn::Max(most, hn::LoadU(d, row + i));
    largest = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  for (; i < n; ++i) largest = row[i] > largest ? row[i] : largest;
  return largest;
}

// exp(row - largest) into `out` where that is not null; returns the sum. The last, partial vector
// is computed as a whole one.
inline float ExpSum(const float* row, int64_t n, float largest, float* out) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto shift = hn::Set(d, largest);
  auto sums = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto e = hn::Exp(d, hn::Sub(hn::LoadU(d, row + i), shift));
    if (out != nullptr) hn::StoreU(e, d, out + i);
    sums = hn::Add(sums, e);
  }
  if (i < n) {
    HWY_ALIGN float rest[HWY_MAX_BYTES / sizeof(float)];
    for (int64_t j = 0; j < lanes; ++j)
      rest[j] = i + j < n ? row[i + j] - largest : -1000.0f;  // exp gives 0
    const auto e = hn::Exp(d, hn::Load(d, rest));
    sums = hn::Add(sums, e);
    hn::Store(e, d, rest);
    if (out != nullptr) {
      for (int64_t j = 0; i + j < n; ++j) out[i + j] = rest[j];
    }
  }
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

// In place over whole vectors. REQUIRES: room for n rounded up to whole vectors; what lies past n
// becomes 0.
inline void SoftmaxPadded(int64_t n, float* row) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t padded = (n + lanes - 1) / lanes * lanes;
  for (int64_t i = n; i < padded; ++i) row[i] = -1e30f;  // exp gives 0
  const float factor = 1.0f / ExpSum(row, padded, MaxOf(row, padded), row);
  const auto factors = hn::Set(d, factor);
  for (int64_t i = 0; i < padded; i += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(d, row + i), factors), d, row + i);
}

// In place, without room.
inline void SoftmaxInPlace(int64_t n, float* row) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const float factor = 1.0f / ExpSum(row, n, MaxOf(row, n), row);
  const auto factors = hn::Set(d, factor);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(d, row + i), factors), d, row + i);
  for (; i < n; ++i) row[i] *= factor;
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#endif  // include guard toggled per target
