// Whole vectors first, the rest one by one. Sums of exponentials run in float32 for a block and in
// float64 over the blocks, so that a vocabulary of a hundred thousand tokens loses no digits.
#include "engine/ops/logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/ops/logits.cc"
#include <hwy/foreach_target.h>

#include "engine/ops/softmax-inl.h"  // Highway and its exp

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr float kNone = -std::numeric_limits<float>::infinity();
constexpr int64_t kBlock = 2048;

// NaN loses against anything: comparisons with it are false.
template <class D, class V = hn::VFromD<D>>
HWY_INLINE V LargerOf(D, V x, V most) {
  return hn::IfThenElse(hn::Gt(x, most), x, most);
}

float Largest(const float* row, int64_t n) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto a = hn::Set(d, kNone), b = a, c = a, e = a;
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = LargerOf(d, hn::LoadU(d, row + i), a);
    b = LargerOf(d, hn::LoadU(d, row + i + lanes), b);
    c = LargerOf(d, hn::LoadU(d, row + i + 2 * lanes), c);
    e = LargerOf(d, hn::LoadU(d, row + i + 3 * lanes), e);
  }
  float largest = hn::GetLane(hn::MaxOfLanes(d, LargerOf(d, LargerOf(d, a, b), LargerOf(d, c, e))));
  for (; i < n; ++i) largest = row[i] > largest ? row[i] : largest;
  return largest;
}

// exp(x - largest), where what is far below (and NaN) counts as good as nothing.
template <class D, class V = hn::VFromD<D>>
HWY_INLINE V Weight(D d, V x, V largest) {
  const V shifted = hn::Sub(x, largest), least = hn::Set(d, -87.0f);
  return hn::Exp(d, LargerOf(d, shifted, least));
}

float LogSumOver(const float* row, int64_t n, float largest) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto shift = hn::Set(d, largest);
  double sum = 0;
  int64_t i = 0;
  while (i + lanes <= n) {
    const int64_t end = std::min(n, i + kBlock);
    auto even = hn::Zero(d), odd = even;
    for (; i + 2 * lanes <= end; i += 2 * lanes) {
      even = hn::Add(even, Weight(d, hn::LoadU(d, row + i), shift));
      odd = hn::Add(odd, Weight(d, hn::LoadU(d, row + i + lanes), shift));
    }
    if (i + lanes <= end) {
      even = hn::Add(even, Weight(d, hn::LoadU(d, row + i), shift));
      i += lanes;
    }
    sum += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd))));
  }
  const hn::CappedTag<float, 1> one;
  for (; i < n; ++i) {
    sum +=
        static_cast<double>(hn::GetLane(Weight(one, hn::Set(one, row[i]), hn::Set(one, largest))));
  }
  return largest + static_cast<float>(std::log(sum));
}

float LogSum(const float* row, int64_t n) { return LogSumOver(row, n, Largest(row, n)); }

// Block by block, so that the place is looked for in one of them only. Leaves log_sum_exp alone.
void FindLargest(const float* row, int64_t n, RowSummary* summary) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  float largest = kNone;
  int64_t i = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const float of_block = Largest(row + begin, std::min(kBlock, n - begin));
    if (!(of_block > largest)) continue;
    largest = of_block;
    i = begin;
  }
  summary->largest = largest;
  summary->arg_max = 0;
  if (largest == kNone) return;
  const auto wanted = hn::Set(d, largest);
  while (i + lanes <= n && hn::AllFalse(d, hn::Eq(hn::LoadU(d, row + i), wanted))) i += lanes;
  while (row[i] != largest) ++i;
  summary->arg_max = static_cast<int32_t>(i);
}

int32_t FirstOfLargest(const float* row, int64_t n) {
  RowSummary summary;
  FindLargest(row, n, &summary);
  return summary.arg_max;
}

void SummaryOf(const float* row, int64_t n, RowSummary* summary) {
  FindLargest(row, n, summary);
  summary->log_sum_exp = LogSumOver(row, n, summary->largest);
}

// Which of (x - subtract) + add exceed the threshold; NaN exceeds nothing.
template <class D, class V = hn::VFromD<D>>
HWY_INLINE hn::Mask<D> Above(D d, const float* x, V subtract, V add, V threshold) {
  return hn::Gt(hn::Add(hn::Sub(hn::LoadU(d, x), subtract), add), threshold);
}

// Four vectors at a time while there is nothing; where there is something, it is found one by one.
int64_t FirstAbove(const float* row, int64_t begin, int64_t n, float subtract, float add,
                   float threshold) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto s = hn::Set(d, subtract), a = hn::Set(d, add), t = hn::Set(d, threshold);
  int64_t i = begin;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const auto first = hn::Or(Above(d, row + i, s, a, t), Above(d, row + i + lanes, s, a, t));
    const auto second =
        hn::Or(Above(d, row + i + 2 * lanes, s, a, t), Above(d, row + i + 3 * lanes, s, a, t));
    if (!hn::AllFalse(d, hn::Or(first, second))) break;
  }
  for (; i + lanes <= n; i += lanes) {
    const auto found = hn::FindFirstTrue(d, Above(d, row + i, s, a, t));
    if (found >= 0) return i + static_cast<int64_t>(found);
  }
  while (i < n && !((row[i] - subtract) + add > threshold)) ++i;
  return i;
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(LogSum);
HWY_EXPORT(FirstOfLargest);
HWY_EXPORT(SummaryOf);
HWY_EXPORT(FirstAbove);

float LogSumExp(absl::Span<const float> row) {
  return HWY_DYNAMIC_DISPATCH(LogSum)(row.data(), static_cast<int64_t>(row.size()));
}

int32_t ArgMax(absl::Span<const float> row) {
  return HWY_DYNAMIC_DISPATCH(FirstOfLargest)(row.data(), static_cast<int64_t>(row.size()));
}

RowSummary Summarise(absl::Span<const float> row) {
  RowSummary summary;
  HWY_DYNAMIC_DISPATCH(SummaryOf)(row.data(), static_cast<int64_t>(row.size()), &summary);
  return summary;
}

int64_t NextAbove(absl::Span<const float> row, int64_t begin, float subtract, float add,
                  float threshold) {
  return HWY_DYNAMIC_DISPATCH(FirstAbove)(row.data(), begin, static_cast<int64_t>(row.size()),
                                          subtract, add, threshold);
}

}  // namespace attend
#endif  // HWY_ONCE
