// Own loops: at translation's lengths (some 5 to 100 keys) attention is a few percent of a step,
// and library calls cost more than the work (bench/README.md).
//
// A step's row (AttendRow): scores of all heads key by key, so that each key's row is read once and
// in order; softmax per head; then per head a weighted sum of value rows with the sums kept in
// registers.
//
// A whole sequence (AttendTiles): per head two small matrix products, scores = queries x transposed
// keys and out = weights x values, four query rows at a time. Every number is one chain of
// multiply-adds in the order of the inner index, so it is the same bits whichever tile or vector
// lane it falls into.
#include "engine/ops/attention.h"

#include <algorithm>
#include <vector>

#include "engine/base/check.h"
#include "engine/ops/op_threads.h"
#include "engine/ops/simd_targets.h"

#ifndef ATTEND_OPS_ATTENTION_TILES_
#define ATTEND_OPS_ATTENTION_TILES_  // this file is read once for every instruction set
namespace attend {
namespace {

constexpr int64_t kTileRows = 4;
constexpr int64_t kLanePadding = 16;  // the widest vector that a processor here has

// Memory of one head: keys [head_dim][keys_stride], values [count][values_stride], and a tile of
// scores and results.
struct TileScratch {
  int64_t head_dim = 0;
  float *keys = nullptr, *values = nullptr, *scores = nullptr, *out = nullptr;
  int64_t keys_stride = 0, values_stride = 0, out_stride = 0;
};

// Query rows [begin, end), the head's first column, and its probabilities [rows][count] or nullptr.
struct TileRange {
  int64_t begin = 0, end = 0, first_column = 0;
  float* probabilities = nullptr;
  const float* bias = nullptr;  // the head's [2 * reach + 1] or nullptr
};

}  // namespace
}  // namespace attend
#endif  // ATTEND_OPS_ATTENTION_TILES_

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
  for (; i + lanes <= n; i += lanes)
    sum = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum);
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

// out[0..n) = sum over tokens of weight * value, n being `kVectors` vectors.
template <int kVectors, class D>
void WeighValues(D d, absl::Span<const KeyValueRun> runs, const float* weights, int64_t offset,
                 float* out) {
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

// scores[k] += bias of distance k - position, k < count. One sum a score, so vectors and their ends
// give the same bits.
void AddDistanceBias(const float* bias, int64_t reach, int64_t position, int64_t count,
                     float* scores) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t near = std::clamp<int64_t>(position - reach, 0, count);
  const int64_t far = std::clamp<int64_t>(position + reach + 1, 0, count);
  for (int64_t k = 0; k < near; ++k) scores[k] += bias[0];
  const float* from = bias + reach - position;  // of key 0
  int64_t k = near;
  for (; k + lanes <= far; k += lanes)
    hn::StoreU(hn::Add(hn::LoadU(d, scores + k), hn::LoadU(d, from + k)), d, scores + k);
  for (; k < far; ++k) scores[k] += from[k];
  for (; k < count; ++k) scores[k] += bias[2 * reach];
}

template <class D>
void AttendWith(D d, const HeadShape& heads, const AttentionQuery& query, int64_t count,
                const DistanceBias* bias, float* scores, int64_t stride) {
  int64_t token = 0;
  for (const KeyValueRun& run : query.runs) {
    const float* key = run.keys;
    for (int64_t t = 0; t < run.count; ++t, ++token, key += run.stride) {
      for (int h = 0; h < heads.num_heads; ++h) {
        scores[h * stride + token] =
            Dot(d, query.query + h * heads.head_dim, key + h * heads.head_dim, heads.head_dim);
      }
    }
  }
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int h = 0; h < heads.num_heads; ++h) {
    float* weights = scores + h * stride;
    if (bias != nullptr) {
      AddDistanceBias(bias->values + h * (2 * bias->reach + 1), bias->reach, count - 1, count,
                      weights);
    }
    SoftmaxPadded(count, weights);
    const int64_t end = (h + 1) * heads.head_dim;
    int64_t i = h * heads.head_dim;
    for (; i + 4 * lanes <= end; i += 4 * lanes)
      WeighValues<4>(d, query.runs, weights, i, query.out + i);
    for (; i + 2 * lanes <= end; i += 2 * lanes)
      WeighValues<2>(d, query.runs, weights, i, query.out + i);
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

void AttendRow(const HeadShape& heads, const AttentionQuery& query, int64_t count,
               const DistanceBias* bias, float* scores, int64_t stride) {
  const hn::ScalableTag<float> whole;
  // Narrow heads (tiny models) would leave wide vectors unused.
  if (heads.head_dim % static_cast<int64_t>(hn::Lanes(whole)) == 0) {
    AttendWith(whole, heads, query, count, bias, scores, stride);
  } else {
    AttendWith(hn::CappedTag<float, 4>(), heads, query, count, bias, scores, stride);
  }
}

// out[r][0..1 or 2 vectors) = sum over k of a[r][k] * b[k][...], r < kRows.
template <int kRows, bool kTwo, class D>
void MultiplyTile(D d, ConstMatrixView a, const float* b, int64_t b_stride, MatrixView out) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto s00 = hn::Zero(d), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00,
       s31 = s00;
  const float* a0 = a.row(0);
  const float* a1 = a.row(kRows > 1 ? 1 : 0);
  const float* a2 = a.row(kRows > 2 ? 2 : 0);
  const float* a3 = a.row(kRows > 3 ? 3 : 0);
  for (int64_t k = 0; k < a.cols; ++k, b += b_stride) {
    const auto left = hn::LoadU(d, b);
    const auto right = kTwo ? hn::LoadU(d, b + lanes) : left;
    auto x = hn::Set(d, a0[k]);
    s00 = hn::MulAdd(x, left, s00);
    if (kTwo) s01 = hn::MulAdd(x, right, s01);
    if (kRows > 1) {
      x = hn::Set(d, a1[k]);
      s10 = hn::MulAdd(x, left, s10);
      if (kTwo) s11 = hn::MulAdd(x, right, s11);
    }
    if (kRows > 2) {
      x = hn::Set(d, a2[k]);
      s20 = hn::MulAdd(x, left, s20);
      if (kTwo) s21 = hn::MulAdd(x, right, s21);
    }
    if (kRows > 3) {
      x = hn::Set(d, a3[k]);
      s30 = hn::MulAdd(x, left, s30);
      if (kTwo) s31 = hn::MulAdd(x, right, s31);
    }
  }
  hn::StoreU(s00, d, out.row(0));
  if (kRows > 1) hn::StoreU(s10, d, out.row(1));
  if (kRows > 2) hn::StoreU(s20, d, out.row(2));
  if (kRows > 3) hn::StoreU(s30, d, out.row(3));
  if (!kTwo) return;
  hn::StoreU(s01, d, out.row(0) + lanes);
  if (kRows > 1) hn::StoreU(s11, d, out.row(1) + lanes);
  if (kRows > 2) hn::StoreU(s21, d, out.row(2) + lanes);
  if (kRows > 3) hn::StoreU(s31, d, out.row(3) + lanes);
}

template <bool kTwo, class D>
void MultiplyColumns(D d, ConstMatrixView a, const float* b, int64_t b_stride, MatrixView out) {
  switch (a.rows) {
    case 1:
      MultiplyTile<1, kTwo>(d, a, b, b_stride, out);
      break;
    case 2:
      MultiplyTile<2, kTwo>(d, a, b, b_stride, out);
      break;
    case 3:
      MultiplyTile<3, kTwo>(d, a, b, b_stride, out);
      break;
    default:
      MultiplyTile<4, kTwo>(d, a, b, b_stride, out);
      break;
  }
}

// out = a * b for up to four rows. REQUIRES: rows of b and out have room for whole vectors.
void MultiplyRows(ConstMatrixView a, ConstMatrixView b, MatrixView out) {
  const hn::ScalableTag<float> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < b.cols; c += 2 * lanes) {
    const MatrixView to = {out.data + c, a.rows, 2 * lanes, out.stride};
    if (c + lanes < b.cols) {
      MultiplyColumns<true>(d, a, b.data + c, b.stride, to);
    } else {
      MultiplyColumns<false>(d, a, b.data + c, b.stride, to);
    }
  }
}

// One head, query rows [begin, end) of the sequence.
void AttendTiles(const SequenceAttention& attention, const TileScratch& scratch,
                 const TileRange& range) {
  const int64_t count = attention.keys.rows, head_dim = scratch.head_dim;
  for (int64_t row = range.begin; row < range.end; row += kTileRows) {
    const int64_t rows = std::min<int64_t>(kTileRows, range.end - row);
    // What no row of the tile sees need not be computed; what one row does not see has weight 0 for
    // it.
    const int64_t seen_by_any = attention.causal ? row + rows : count;
    MultiplyRows(
        {attention.queries.row(row) + range.first_column, rows, head_dim, attention.queries.stride},
        {scratch.keys, head_dim, seen_by_any, scratch.keys_stride},
        {scratch.scores, rows, seen_by_any, scratch.keys_stride});
    for (int64_t r = 0; r < rows; ++r) {
      float* weights = scratch.scores + r * scratch.keys_stride;
      const int64_t seen = attention.causal ? row + r + 1 : count;
      if (range.bias != nullptr)
        AddDistanceBias(range.bias, attention.bias->reach, row + r, seen, weights);
      SoftmaxPadded(seen, weights);
      std::fill(weights + seen, weights + seen_by_any, 0.0f);
      if (range.probabilities != nullptr) {
        float* shown = range.probabilities + (row + r) * count;
        std::copy(weights, weights + seen, shown);
        std::fill(shown + seen, shown + count, 0.0f);
      }
    }
    MultiplyRows({scratch.scores, rows, seen_by_any, scratch.keys_stride},
                 {scratch.values, seen_by_any, head_dim, scratch.values_stride},
                 {scratch.out, rows, head_dim, scratch.out_stride});
    for (int64_t r = 0; r < rows; ++r) {
      std::copy_n(scratch.out + r * scratch.out_stride, head_dim,
                  attention.out.row(row + r) + range.first_column);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(AttendRow);
HWY_EXPORT(AttendTiles);

namespace {

int64_t CountKeys(const AttentionQuery& query) {
  int64_t count = 0;
  for (const KeyValueRun& run : query.runs) count += run.count;
  return count;
}

int64_t RoundUp(int64_t n) { return (n + kLanePadding - 1) / kLanePadding * kLanePadding; }

void AttendOne(const HeadShape& heads, const AttentionQuery& query, const DistanceBias* bias) {
  const int64_t count = CountKeys(query);
  ATTEND_CHECK(count > 0, "attention over nothing");
  thread_local std::vector<float> scores;
  const int64_t stride = RoundUp(count);
  const size_t needed = static_cast<size_t>(heads.num_heads * stride);
  if (scores.size() < needed) scores.resize(needed * 2);
  HWY_DYNAMIC_DISPATCH(AttendRow)(heads, query, count, bias, scores.data(), stride);
}

TileScratch LayOut(int64_t head_dim, int64_t count, std::vector<float>* memory) {
  TileScratch scratch;
  scratch.head_dim = head_dim;
  scratch.keys_stride = RoundUp(count);
  scratch.values_stride = scratch.out_stride = RoundUp(head_dim);
  const int64_t keys = head_dim * scratch.keys_stride, values = count * scratch.values_stride;
  const int64_t scores = kTileRows * scratch.keys_stride, out = kTileRows * scratch.out_stride;
  const size_t needed = static_cast<size_t>(keys + values + scores + out);
  if (memory->size() < needed) memory->resize(needed);
  scratch.keys = memory->data();
  scratch.values = scratch.keys + keys;
  scratch.scores = scratch.values + values;
  scratch.out = scratch.scores + scores;
  return scratch;
}

// Keys transposed and values copied, both with whole vectors: lanes past the end hold whatever was
// there, and nobody looks at what comes of them.
void GatherHead(const SequenceAttention& attention, int64_t first_column,
                const TileScratch& scratch) {
  for (int64_t t = 0; t < attention.keys.rows; ++t) {
    const float* key = attention.keys.row(t) + first_column;
    for (int64_t i = 0; i < scratch.head_dim; ++i)
      scratch.keys[i * scratch.keys_stride + t] = key[i];
    std::copy_n(attention.values.row(t) + first_column, scratch.head_dim,
                scratch.values + t * scratch.values_stride);
  }
}

}  // namespace

void AttendRows(const HeadShape& heads, absl::Span<const AttentionQuery> queries,
                const DistanceBias* bias) {
  ParallelFor(static_cast<int64_t>(queries.size()), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) AttendOne(heads, queries[static_cast<size_t>(i)], bias);
  });
}

void AttendSequence(const HeadShape& heads, const SequenceAttention& attention) {
  const int64_t rows = attention.queries.rows, count = attention.keys.rows;
  ATTEND_CHECK(attention.out.rows == rows && attention.values.rows == count, "rows of attention");
  ATTEND_CHECK(rows == 0 || count > 0, "attention over nothing");
  ATTEND_CHECK(!attention.causal || rows <= count, "a causal row for each key");
  // Pieces of at least some 50 us.
  const int64_t grain = std::max<int64_t>(16, 400000 / std::max<int64_t>(1, count * heads.width()));
  ParallelFor(rows, grain, [&](int64_t begin, int64_t end) {
    thread_local std::vector<float> memory;
    const TileScratch scratch = LayOut(heads.head_dim, count, &memory);
    for (int h = 0; h < heads.num_heads; ++h) {
      TileRange range = {begin, end, h * heads.head_dim, nullptr, nullptr};
      if (attention.bias != nullptr)
        range.bias = attention.bias->values + h * (2 * attention.bias->reach + 1);
      if (attention.probabilities != nullptr)
        range.probabilities = attention.probabilities + h * rows * count;
      GatherHead(attention, range.first_column, scratch);
      HWY_DYNAMIC_DISPATCH(AttendTiles)(attention, scratch, range);
    }
  });
}

}  // namespace attend
#endif  // HWY_ONCE
