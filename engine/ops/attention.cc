// Own loops: at translation's lengths (some 5 to 100 keys) attention is a few percent of a step, and library calls cost more
// than the work (bench/README.md). For one query row: scores of all heads key by key, so that each key's row is read once and in
// order; softmax per head; then per head a weighted sum of value rows with the sums kept in registers.
#include "engine/ops/attention.h"

#include <algorithm>
#include <vector>

#include "engine/base/check.h"
#include "engine/ops/op_threads.h"
#include "engine/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/ops/attention.cc"
#include <hwy/foreach_target.h>

#include "engine/ops/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
float Dot(D d, const float* a, const float* b, int64_t n) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) sum = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum);
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

// out[0..n) = sum over tokens of weight * value, n being `kVectors` vectors.
template <int kVectors, class D>
void WeighValues(D d, absl::Span<const KeyValueRun> runs, const float* weights, int64_t offset, float* out) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto a = hn::Zero(d), b = a, c = a, e = a;
  for (const KeyValueRun& run : runs) {
    const float* value = run.values + offset;
    for (int64_t t = 0; t < run.count; ++t, value += run.stride) {
      const auto w = hn::Set(d, *weights++);
      a = hn::MulAdd(w, hn::LoadU(d, value), a);
      if (kVectors > 1) b = hn::MulAdd(w, hn::LoadU(d, value + lanes), b);
      if (kVectors > 2) c = hn::MulAdd(w, hn::LoadU(d, value + 2 * lanes), c);
      if (kVectors > 3) e = hn::MulAdd(w, hn::LoadU(d, value + 3 * lanes), e);
    }
  }
  hn::StoreU(a, d, out);
  if (kVectors > 1) hn::StoreU(b, d, out + lanes);
  if (kVectors > 2) hn::StoreU(c, d, out + 2 * lanes);
  if (kVectors > 3) hn::StoreU(e, d, out + 3 * lanes);
}

template <class D>
void AttendWith(D d, const HeadShape& heads, const AttentionQuery& query, int64_t count, float* scores, int64_t stride) {
  int64_t token = 0;
  for (const KeyValueRun& run : query.runs) {
    const float* key = run.keys;
    for (int64_t t = 0; t < run.count; ++t, ++token, key += run.stride) {
      for (int h = 0; h < heads.num_heads; ++h) {
        scores[h * stride + token] = Dot(d, query.query + h * heads.head_dim, key + h * heads.head_dim, heads.head_dim);
      }
    }
  }
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int h = 0; h < heads.num_heads; ++h) {
    float* weights = scores + h * stride;
    SoftmaxInPlace(count, weights);
    const int64_t end = (h + 1) * heads.head_dim;
    int64_t i = h * heads.head_dim;
    for (; i + 4 * lanes <= end; i += 4 * lanes) WeighValues<4>(d, query.runs, weights, i, query.out + i);
    for (; i + 2 * lanes <= end; i += 2 * lanes) WeighValues<2>(d, query.runs, weights, i, query.out + i);
    for (; i + lanes <= end; i += lanes) WeighValues<1>(d, query.runs, weights, i, query.out + i);
    for (; i < end; ++i) {
      float sum = 0;
      const float* w = weights;
      for (const KeyValueRun& run : query.runs) {
        for (int64_t t = 0; t < run.count; ++t) sum += *w++ * run.values[t * run.stride + i];
      }
      query.out[i] = sum;
    }
  }
}

void AttendRow(const HeadShape& heads, const AttentionQuery& query, int64_t count, float* scores, int64_t stride) {
  const hn::ScalableTag<float> whole;
  // Narrow heads (tiny models) would leave wide vectors unused.
  if (heads.head_dim % static_cast<int64_t>(hn::Lanes(whole)) == 0) {
    AttendWith(whole, heads, query, count, scores, stride);
  } else {
    AttendWith(hn::CappedTag<float, 4>(), heads, query, count, scores, stride);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(AttendRow);

namespace {

int64_t CountKeys(const AttentionQuery& query) {
  int64_t count = 0;
  for (const KeyValueRun& run : query.runs) count += run.count;
  return count;
}

void AttendOne(const HeadShape& heads, const AttentionQuery& query) {
  const int64_t count = CountKeys(query);
  ATTEND_CHECK(count > 0, "attention over nothing");
  if (query.probabilities != nullptr) {
    HWY_DYNAMIC_DISPATCH(AttendRow)(heads, query, count, query.probabilities, query.probability_stride);
    return;
  }
  thread_local std::vector<float> scores;
  const size_t needed = static_cast<size_t>(heads.num_heads * count);
  if (scores.size() < needed) scores.resize(needed * 2);
  HWY_DYNAMIC_DISPATCH(AttendRow)(heads, query, count, scores.data(), count);
}

}  // namespace

void AttendRows(const HeadShape& heads, absl::Span<const AttentionQuery> queries) {
  ParallelFor(static_cast<int64_t>(queries.size()), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) AttendOne(heads, queries[static_cast<size_t>(i)]);
  });
}

void AttendSequence(const HeadShape& heads, const SequenceAttention& attention) {
  const int64_t rows = attention.queries.rows, count = attention.keys.rows;
  ATTEND_CHECK(attention.out.rows == rows && attention.values.rows == count, "rows of attention");
  ATTEND_CHECK(attention.keys.stride == attention.values.stride, "keys and values lie alike");
  ATTEND_CHECK(!attention.causal || rows <= count, "a causal row for each key");
  ParallelFor(rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t seen = attention.causal ? i + 1 : count;
      const KeyValueRun run = {attention.keys.data, attention.values.data, seen, attention.keys.stride};
      AttentionQuery query = {attention.queries.row(i), {&run, 1}, attention.out.row(i), nullptr, 0};
      if (attention.probabilities != nullptr) {
        query.probabilities = attention.probabilities + i * count;
        query.probability_stride = rows * count;
        for (int h = 0; h < heads.num_heads; ++h) {
          std::fill(query.probabilities + h * query.probability_stride + seen,
                    query.probabilities + h * query.probability_stride + count, 0.0f);
        }
      }
      AttendOne(heads, query);
    }
  });
}

}  // namespace attend
#endif  // HWY_ONCE
