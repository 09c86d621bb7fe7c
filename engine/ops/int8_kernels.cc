// Four ways to the same integers:
//  * AMX (int8_tiles.h), from a few rows on.
//  * AVX-512 VNNI: vpdpbusd multiplies unsigned by signed bytes, so inputs come as x + 128 and the
//    128 * (sum of weights) is taken off at the end.
//  * AVX2: vpmaddubsw also wants one unsigned side, but adds pairs in 16 bits, where 255 * 127 * 2
//    would saturate. So the sign of the input is moved to the weight (vpsignb) and its magnitude is
//    the unsigned side: 2 * 127 * 127 fits.
//  * portable: plain loops.
// Rows times panels are blocked so that all sums stay in registers. For few rows four panels are
// walked at once: one stream of loads would not keep memory busy.
#define ATTEND_SIMD_VNNI
#include "engine/ops/int8_kernels.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "engine/ops/int8_tiles.h"
#include "engine/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/ops/int8_kernels.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/ops/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kLineBytes = 64;

// 16 sums of one row become 16 outputs.
HWY_INLINE void Finish(const Int8Product& p, int64_t row, int64_t panel, const int32_t* sums) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t first = panel * kPanelOutputs;
  const auto in_scale = hn::Set(d, p.in_scales[row]);
  float* to = p.out + row * p.out_stride + first;
  const bool is_whole = first + kPanelOutputs <= p.outputs;
  HWY_ALIGN float rest[kPanelOutputs];
  float* target = is_whole ? to : rest;
  for (int64_t i = 0; i < kPanelOutputs; i += lanes) {
    const auto scale = hn::Mul(in_scale, hn::LoadU(d, p.weight_scales + first + i));
    // Not fused, so that processors without fused multiply-add round alike.
    auto x = hn::Add(hn::Mul(hn::ConvertTo(d, hn::LoadU(di, sums + i)), scale),
                     hn::LoadU(d, p.bias + first + i));
    if (p.activation) x = Activate(d, *p.activation, x);
    hn::StoreU(x, d, target + i);
  }
  if (!is_whole) std::copy_n(rest, p.outputs - first, to);
}

#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2

// Panels to fetch while others are multiplied: with each step of four inputs one line of each, in
// four streams, because the processor's own prefetching follows each within its page of 4 KiB.
struct Ahead {
  const int8_t* panels = nullptr;  // the first
  int count = 0;
  int64_t panel_bytes = 0, quarter = 0;

  HWY_INLINE void FetchLines(int64_t k) const {
    const int64_t line = k / 4;
    const int8_t* from = panels + line % 4 * quarter + line / 4 * kLineBytes;
    for (int i = 0; i < count; ++i, from += panel_bytes) hwy::Prefetch(from);
  }
};

// What block `b` of `blocks` fetches of the group that follows: they share it. One row with AVX-512
// has nothing but loads to do, and asks for four panels at once as fast as memory gives them.
template <int kPanels>
Ahead AheadOf(const Int8Product& p, int64_t panel, int64_t b, int64_t blocks) {
  const int64_t panel_bytes = p.inputs * kPanelOutputs;
  const int64_t first = kPanels * b / blocks, last = kPanels * (b + 1) / blocks;
  Ahead ahead;
  if (p.rows == 1 && HWY_TARGET == HWY_AVX3_DL) return ahead;
  ahead.panels = p.panels + (panel + kPanels + first) * panel_bytes;
  ahead.count = static_cast<int>(last - first);
  ahead.panel_bytes = panel_bytes;
  ahead.quarter = panel_bytes / 4;
  return ahead;
}

#endif

#if HWY_TARGET == HWY_AVX3_DL

// sum += four products of x (unsigned) and w (signed) in each lane. Written as the instruction
// itself: older Highway names this target without VNNI, so that the intrinsic is refused, and
// GCC 12 surrounds the intrinsic with copies of its sum.
HWY_INLINE void AddProducts(__m512i& sum, __m512i x, __m512i w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
}

constexpr uint8_t kFlip = 0x80;
constexpr int kMostRows = 6;

template <int kRows, int kPanels>
void Block(const Int8Product& p, int64_t row, int64_t panel, Ahead ahead) {
  __m512i sums[kRows][kPanels];
  const int64_t panel_bytes = p.inputs * kPanelOutputs;
#pragma GCC unroll 8
  for (int j = 0; j < kPanels; ++j) {
    // Starting from -128 * (sum of weights) costs nothing.
    const __m512i start =
        _mm512_slli_epi32(_mm512_loadu_si512(p.weight_sums + (panel + j) * kPanelOutputs), 7);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) sums[r][j] = _mm512_sub_epi32(_mm512_setzero_si512(), start);
  }
  const int8_t* in = p.in + row * p.inputs;
  const int8_t* weights = p.panels + panel * panel_bytes;
  for (int64_t k = 0; k < p.inputs; k += 4, weights += 4 * kPanelOutputs) {
    __m512i w[kPanels];
#pragma GCC unroll 8
    for (int j = 0; j < kPanels; ++j) w[j] = _mm512_loadu_si512(weights + j * panel_bytes);
    ahead.FetchLines(k);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      int32_t four;
      __builtin_memcpy(&four, in + r * p.inputs + k, sizeof(four));
      const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 8
      for (int j = 0; j < kPanels; ++j) AddProducts(sums[r][j], x, w[j]);
    }
  }
  HWY_ALIGN int32_t finished[kPanelOutputs];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < kPanels; ++j) {
      _mm512_store_si512(finished, sums[r][j]);
      Finish(p, row + r, panel + j, finished);
    }
  }
}

template <int kPanels>
void Rows(const Int8Product& p, int64_t row, int64_t count, int64_t panel, Ahead ahead) {
  switch (count) {
    case 1:
      return Block<1, kPanels>(p, row, panel, ahead);
    case 2:
      return Block<2, kPanels>(p, row, panel, ahead);
    case 3:
      return Block<3, kPanels>(p, row, panel, ahead);
    case 4:
      return Block<4, kPanels>(p, row, panel, ahead);
    case 5:
      return Block<5, kPanels>(p, row, panel, ahead);
    default:
      return Block<6, kPanels>(p, row, panel, ahead);
  }
}

constexpr int PanelsAtOnce(int64_t) { return 4; }

template <int kPanels>
void PanelGroup(const Int8Product& p, int64_t panel) {
  // Blocks of nearly equal height: 8 rows are 4 + 4 rather than 6 + 2.
  const int64_t blocks = (p.rows + kMostRows - 1) / kMostRows;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = p.rows * b / blocks, end = p.rows * (b + 1) / blocks;
    Rows<kPanels>(p, begin, end - begin, panel, AheadOf<kPanels>(p, panel, b, blocks));
  }
}

#elif HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3

constexpr uint8_t kFlip = 0;

// Exact dot products of 4 bytes each, added to `sum`.
HWY_INLINE __m256i AddProducts(__m256i sum, __m256i magnitudes, __m256i x, __m256i w) {
  const __m256i pairs = _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(w, x));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// Of four inputs, in each lane.
HWY_INLINE __m256i Broadcast(const int8_t* in) {
  int32_t four;
  __builtin_memcpy(&four, in, sizeof(four));
  return _mm256_set1_epi32(four);
}

// kHasMagnitudes: the product has them.
template <int kRows, int kPanels, bool kHasMagnitudes>
void Block(const Int8Product& p, int64_t row, int64_t panel, Ahead ahead) {
  __m256i low[kRows][kPanels], high[kRows][kPanels];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < kPanels; ++j) low[r][j] = high[r][j] = _mm256_setzero_si256();
  }
  const int64_t panel_bytes = p.inputs * kPanelOutputs;
  const int8_t* in = p.in + row * p.inputs;
  const int8_t* in_magnitudes = kHasMagnitudes ? p.in_magnitudes + row * p.inputs : nullptr;
  const int8_t* weights = p.panels + panel * panel_bytes;
  for (int64_t k = 0; k < p.inputs; k += 4, weights += 4 * kPanelOutputs) {
    ahead.FetchLines(k);
#pragma GCC unroll 8
    for (int j = 0; j < kPanels; ++j) {
      const auto* from = reinterpret_cast<const __m256i*>(weights + j * panel_bytes);
      const __m256i w0 = _mm256_loadu_si256(from), w1 = _mm256_loadu_si256(from + 1);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m256i x = Broadcast(in + r * p.inputs + k);
        const __m256i magnitudes =
            kHasMagnitudes ? Broadcast(in_magnitudes + r * p.inputs + k) : _mm256_abs_epi8(x);
        low[r][j] = AddProducts(low[r][j], magnitudes, x, w0);
        high[r][j] = AddProducts(high[r][j], magnitudes, x, w1);
      }
    }
  }
  HWY_ALIGN int32_t finished[kPanelOutputs];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < kPanels; ++j) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(finished), low[r][j]);
      _mm256_store_si256(reinterpret_cast<__m256i*>(finished) + 1, high[r][j]);
      Finish(p, row + r, panel + j, finished);
    }
  }
}

constexpr int PanelsAtOnce(int64_t rows) { return rows <= 2 ? 4 : 1; }

template <bool kHasMagnitudes>
void Rows(const Int8Product& p, int64_t row, int64_t count, int64_t panel, Ahead ahead) {
  if (count == 4) return Block<4, 1, kHasMagnitudes>(p, row, panel, ahead);
  if (count == 3) return Block<3, 1, kHasMagnitudes>(p, row, panel, ahead);
  if (count == 2) return Block<2, 1, kHasMagnitudes>(p, row, panel, ahead);
  Block<1, 1, kHasMagnitudes>(p, row, panel, ahead);
}

// Sixteen registers: 4 rows of one panel, 2 rows of two, or one row of four.
template <int kPanels>
void PanelGroup(const Int8Product& p, int64_t panel) {
  if (kPanels == 4) {
    if (p.rows == 1) return Block<1, kPanels, false>(p, 0, panel, AheadOf<4>(p, panel, 0, 1));
    for (int64_t j = 0; j < kPanels; j += 2)
      Block<2, 2, false>(p, 0, panel + j, AheadOf<2>(p, panel + j, 0, 1));
    return;
  }
  const int64_t blocks = (p.rows + 3) / 4;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = p.rows * b / blocks, rows = p.rows * (b + 1) / blocks - begin;
    const Ahead ahead = AheadOf<1>(p, panel, b, blocks);
    if (p.in_magnitudes == nullptr) {
      Rows<false>(p, begin, rows, panel, ahead);
    } else {
      Rows<true>(p, begin, rows, panel, ahead);
    }
  }
}

#else

constexpr uint8_t kFlip = 0;
constexpr int PanelsAtOnce(int64_t) { return 1; }

template <int kPanels>
void PanelGroup(const Int8Product& p, int64_t panel) {
  for (int64_t row = 0; row < p.rows; ++row) {
    const int8_t* in = p.in + row * p.inputs;
    const int8_t* weights = p.panels + panel * p.inputs * kPanelOutputs;
    HWY_ALIGN int32_t sums[kPanelOutputs] = {};
    for (int64_t k = 0; k < p.inputs; k += 4, weights += 4 * kPanelOutputs) {
      for (int64_t o = 0; o < kPanelOutputs; ++o) {
        for (int64_t i = 0; i < 4; ++i) {
          sums[o] += static_cast<int32_t>(in[k + i]) * static_cast<int32_t>(weights[4 * o + i]);
        }
      }
    }
    Finish(p, row, panel, sums);
  }
}

#endif

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3

// The magnitudes of the input, taken once and not for every panel: the units that take them are
// those that multiply. Few rows wait for memory, not for these.
const int8_t* Magnitudes(const Int8Product& p) {
  if (p.rows <= 4) return nullptr;
  thread_local std::vector<int8_t> magnitudes;
  const auto bytes = static_cast<size_t>(p.rows * p.inputs);
  if (magnitudes.size() < bytes) magnitudes.resize(bytes);
  for (size_t i = 0; i < bytes; i += 32) {  // inputs are a multiple of it
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p.in + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(magnitudes.data() + i), _mm256_abs_epi8(x));
  }
  return magnitudes.data();
}

#else

const int8_t* Magnitudes(const Int8Product&) { return nullptr; }

#endif

void Panels(const Int8Product& product, int64_t begin, int64_t end) {
  Int8Product p = product;
  p.in_magnitudes = Magnitudes(p);
  int64_t panel = begin;
  if (PanelsAtOnce(p.rows) == 4) {
    for (; panel + 4 <= end; panel += 4) PanelGroup<4>(p, panel);
  }
  for (; panel < end; ++panel) PanelGroup<1>(p, panel);
}

uint8_t Flip() { return kFlip; }

void FinishTile(const Int8Product& p, int64_t row, int64_t rows, int64_t panel,
                const int32_t* sums) {
  for (int64_t r = 0; r < rows; ++r) Finish(p, row + r, panel, sums + r * kPanelOutputs);
}

const char* KernelName() {
#if HWY_TARGET == HWY_AVX3_DL
  return "avx512_vnni";
#elif HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return "avx2";
#else
  return "portable";
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(Panels);
HWY_EXPORT(Flip);
HWY_EXPORT(KernelName);
HWY_EXPORT(FinishTile);

namespace {

std::atomic<bool> tiles_allowed{true};

// Up to here AVX-512 is as fast as tiles, which are always sixteen rows: memory is the limit.
constexpr int64_t kFewRows = 5;

bool UsesTiles() { return tiles_allowed.load(std::memory_order_relaxed) && HasInt8Tiles(); }

}  // namespace

Int8Plan PlanInt8(int64_t rows) {
  if (rows > kFewRows && UsesTiles())
    return {true, 0, (rows + kTileRows - 1) / kTileRows * kTileRows};
  return {false, HWY_DYNAMIC_DISPATCH(Flip)(), rows};
}

void RunInt8Panels(const Int8Plan& plan, const Int8Product& product, int64_t begin, int64_t end) {
  if (plan.uses_tiles) {
    RunInt8Tiles(product, begin, end, HWY_DYNAMIC_DISPATCH(FinishTile));
  } else {
    HWY_DYNAMIC_DISPATCH(Panels)(product, begin, end);
  }
}

const char* Int8KernelName() { return UsesTiles() ? "amx" : HWY_DYNAMIC_DISPATCH(KernelName)(); }

void AllowInt8Tiles(bool allow) { tiles_allowed.store(allow, std::memory_order_relaxed); }

}  // namespace attend
#endif  // HWY_ONCE
