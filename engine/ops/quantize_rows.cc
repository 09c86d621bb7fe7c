// Two passes: the largest magnitude, then the quotients. A row is in the first-level cache for the
// second one.
#include "engine/ops/quantize_rows.h"

#include <cmath>

#include "engine/base/check.h"
#include "engine/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/ops/quantize_rows.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Largest magnitude of a row; NaN when a number is not finite, since such a row must not turn into
// finite numbers that look like a result.
float LargestMagnitude(const float* row, int64_t n) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto most = hn::Zero(d), most2 = most;
  auto poison = hn::Zero(d), poison2 = poison;  // x * 0 summed: NaN after infinity or NaN
  const auto zero = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto x = hn::LoadU(d, row + i), y = hn::LoadU(d, row + i + lanes);
    most = hn::Max(most, hn::Abs(x));
    most2 = hn::Max(most2, hn::Abs(y));
    poison = hn::MulAdd(x, zero, poison);
    poison2 = hn::MulAdd(y, zero, poison2);
  }
  float largest = hn::GetLane(hn::MaxOfLanes(d, hn::Max(most, most2)));
  float bad = hn::GetLane(hn::SumOfLanes(d, hn::Add(poison, poison2)));
  for (; i < n; ++i) {
    largest = std::fabs(row[i]) > largest ? std::fabs(row[i]) : largest;
    bad += row[i] * 0.0f;
  }
  return largest + bad;
}

void QuantizeRow(const float* row, int64_t n, const QuantizedRows& out, int64_t r) {
  const float largest = LargestMagnitude(row, n);
  int8_t* to = out.data + r * out.stride;
  out.scales[r] = largest / 127.0f;
  const auto flip = static_cast<int8_t>(out.flip);
  const bool is_usable = largest > 0.0f;  // not zero, not NaN
  // Rows of nothing but tiny numbers: 127 / largest must not become infinite.
  const float factor = is_usable ? 127.0f / (largest < 1e-35f ? 1e-35f : largest) : 0.0f;
  int64_t i = 0;
  if (is_usable) {
    const hn::ScalableTag<float> d;
    const hn::Rebind<int8_t, decltype(d)> d8;
    const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
    const auto factors = hn::Set(d, factor);
    const auto flips = hn::Set(d8, flip);
    for (; i + lanes <= n; i += lanes) {
      const auto q = hn::NearestInt(hn::Mul(hn::LoadU(d, row + i), factors));
      hn::StoreU(hn::Xor(hn::DemoteTo(d8, q), flips), d8, to + i);
    }
  }
  for (; i < n; ++i) {
    const float q = is_usable ? std::nearbyint(row[i] * factor) : 0.0f;
    to[i] = static_cast<int8_t>(static_cast<int8_t>(q) ^ flip);
  }
  for (; i < out.stride; ++i) to[i] = flip;
}

void QuantizeAll(const ConstMatrixView& in, const QuantizedRows& out) {
  for (int64_t r = 0; r < in.rows; ++r) QuantizeRow(in.row(r), in.cols, out, r);
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(QuantizeAll);

void QuantizeRows(ConstMatrixView in, const QuantizedRows& out) {
  ATTEND_CHECK(out.stride >= in.cols, "room for a quantised row");
  HWY_DYNAMIC_DISPATCH(QuantizeAll)(in, out);
}

}  // namespace attend
#endif  // HWY_ONCE
