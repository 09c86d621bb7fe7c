// What limits float32 is memory up to some eight rows and arithmetic above, and the point of these
// loops is to do both at once: while one block of weights is multiplied from the first-level cache,
// the next one is fetched. oneDNN's kernels wait for it (docs/adr/0008-float32-panels.md).
//
// A block is kBlock inputs of one panel, 16 KiB. All rows pass over it in tiles whose sums stay in
// registers; between blocks the sums wait in `scratch`, [panel][row][64]. One to three rows are
// limited by memory alone and walk several panels at once instead: more streams of loads.
#include "engine/ops/f32_panels.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/ops/f32_panels.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/ops/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attend {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2

constexpr int64_t kWidth = kF32PanelOutputs;
constexpr int64_t kBlock = 64;
constexpr int kMostRows = 6;
constexpr int64_t kLineFloats = 16;

using Floats = hn::ScalableTag<float>;
constexpr int64_t kLanes = HWY_TARGET == HWY_AVX3 ? 16 : 8;

// Some rows of the input times `count` inputs of the weights.
struct Tile {
  const float* in;  // [rows, in_stride]
  int64_t in_stride;
  const float* weights;  // [count][64], the first panel's
  int64_t panel_stride;  // to the next panel's
  int64_t count;
  float* sums;          // [rows][64], the first panel's
  int64_t sums_stride;  // to the next panel's
  bool is_first;        // of the inputs: sums hold nothing yet
  // Weights to fetch meanwhile: four lines, this many floats apart, then the four behind them.
  const float* ahead;
  int64_t ahead_stride;
};

// kVectors neighbouring vectors of kPanels panels; fetches kLines cache lines ahead with each
// input.
template <int kRows, int kPanels, int kVectors, int kLines>
void Multiply(const Tile& tile) {
  const Floats d;
  hn::Vec<Floats> sums[kRows][kPanels][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        sums[r][p][v] =
            tile.is_first
                ? hn::Zero(d)
                : hn::LoadU(d, tile.sums + p * tile.sums_stride + r * kWidth + v * kLanes);
      }
    }
  }
  const float* weights = tile.weights;
  const float* ahead = tile.ahead;
  for (int64_t k = 0; k < tile.count; ++k, weights += kWidth) {
    if (kLines > 0) {
      constexpr int kTurns = kLines > 0 ? 4 / kLines : 1;  // inputs that it takes to fetch four
      const int64_t turn = k % kTurns;
#pragma GCC unroll 8
      for (int i = 0; i < kLines; ++i)
        hwy::Prefetch(ahead + (turn * kLines + i) * tile.ahead_stride);
      if (turn == kTurns - 1) ahead += kLineFloats;
    }
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) {
      hn::Vec<Floats> w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        w[v] = hn::LoadU(d, weights + p * tile.panel_stride + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const auto x = hn::Set(d, tile.in[r * tile.in_stride + k]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sums[r][p][v] = hn::MulAdd(x, w[v], sums[r][p][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        hn::StoreU(sums[r][p][v], d, tile.sums + p * tile.sums_stride + r * kWidth + v * kLanes);
    }
  }
}

// As many vectors of one panel as registers allow for this many rows.
constexpr int VectorsOf(int rows) { return kLanes == 16 ? 4 : rows == 1 ? 8 : rows == 2 ? 4 : 2; }
// Panels at once.
constexpr int PanelsOf(int64_t rows) {
  return kLanes != 16 ? 1 : rows == 1 ? 4 : rows <= 3 ? 2 : 1;
}

template <int kRows>
void MultiplyRows(const Tile& tile, int64_t lines) {
  constexpr int kVectors = VectorsOf(kRows);
  if (lines <= 0) return Multiply<kRows, 1, kVectors, 0>(tile);
  if (lines == 1) return Multiply<kRows, 1, kVectors, 1>(tile);
  if (lines == 2) return Multiply<kRows, 1, kVectors, 2>(tile);
  return Multiply<kRows, 1, kVectors, 4>(tile);
}

void MultiplyTile(const Tile& tile, int64_t rows, int64_t lines) {
  switch (rows) {
    case 1:
      return MultiplyRows<1>(tile, lines);
    case 2:
      return MultiplyRows<2>(tile, lines);
    case 3:
      return MultiplyRows<3>(tile, lines);
    case 4:
      return MultiplyRows<4>(tile, lines);
    case 5:
      return MultiplyRows<5>(tile, lines);
    default:
      return MultiplyRows<6>(tile, lines);
  }
}

// The fetching of one block, shared out over the tiles that run meanwhile. In four streams, because
// the processor's own prefetching follows each within its page of 4 KiB.
class Fetcher {
 public:
  Fetcher(const float* from, int64_t inputs, int64_t tiles)
      : from_(from),
        quarter_(from == nullptr ? 0 : inputs * kWidth / kLineFloats / 4),
        tiles_(tiles) {}

  // What the next tile is to fetch; returns how many lines with each input.
  int64_t Next(Tile* tile) {
    const int64_t left = 4 * std::max<int64_t>(0, quarter_ - done_), steps = tile->count * tiles_--;
    const int64_t lines = left == 0 ? 0 : left <= steps ? 1 : left <= 2 * steps ? 2 : 4;
    tile->ahead = from_ + done_ * kLineFloats;
    tile->ahead_stride = quarter_ * kLineFloats;
    done_ += lines * tile->count / 4;
    return lines;
  }

 private:
  const float* from_;
  const int64_t quarter_;  // lines of each stream
  int64_t done_ = 0;       // lines of each that earlier tiles fetch
  int64_t tiles_;
};

// All rows times one block of one panel.
void MultiplyBlock(const F32Product& p, Tile tile, const float* ahead, int64_t ahead_inputs) {
  const int64_t tiles = (p.rows + kMostRows - 1) / kMostRows;
  // Tiles of nearly equal height: 8 rows are 4 + 4 rather than 6 + 2.
  const auto begin_of = [&](int64_t t) { return p.rows * t / tiles; };
  const int64_t passes = kWidth / kLanes / VectorsOf(static_cast<int>(begin_of(1)));
  Fetcher fetcher(ahead, ahead_inputs, tiles * passes);
  const Tile whole = tile;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t begin = begin_of(t), rows = begin_of(t + 1) - begin;
    const int64_t width = kLanes * VectorsOf(static_cast<int>(rows));
    tile.in = whole.in + begin * p.in_stride;
    for (int64_t column = 0; column < kWidth; column += width) {
      tile.weights = whole.weights + column;
      tile.sums = whole.sums + begin * kWidth + column;
      MultiplyTile(tile, rows, fetcher.Next(&tile));
    }
  }
}

void FinishPanel(const F32Product& p, int64_t panel, float* sums) {
  const Floats d;
  const int64_t first = panel * kWidth, columns = std::min(kWidth, p.outputs - first);
  for (int64_t r = 0; r < p.rows; ++r, sums += kWidth) {
    float* const to = p.out + r * p.out_stride + first;
    float* const target = columns == kWidth ? to : sums;
    for (int64_t c = 0; c < kWidth; c += kLanes) {
      auto x = hn::Add(hn::LoadU(d, sums + c), hn::LoadU(d, p.bias + first + c));
      if (p.activation) x = Activate(d, *p.activation, x);
      hn::StoreU(x, d, target + c);
    }
    if (columns < kWidth) std::copy_n(sums, columns, to);
  }
}

// One to three rows reuse nothing, so a group of panels is passed over once, from end to end.
void StreamPanels(const F32Product& p, const Tile& tile) {
  if (p.rows == 1) return Multiply<1, PanelsOf(1), VectorsOf(1), 0>(tile);
  if (p.rows == 2) return Multiply<2, PanelsOf(2), VectorsOf(2), 0>(tile);
  Multiply<3, PanelsOf(3), VectorsOf(3), 0>(tile);
}

void MultiplyPanel(const F32Product& p, Tile tile, bool is_last) {
  for (int64_t k = 0; k < p.inputs; k += kBlock) {
    const int64_t left = p.inputs - k;
    tile.in = p.in + k;
    tile.count = std::min(kBlock, left);
    tile.is_first = k == 0;
    // Blocks follow one another in memory, over the ends of panels as well.
    const float* const next = tile.weights + tile.count * kWidth;
    const bool ends = left <= kBlock;
    MultiplyBlock(p, tile, ends && is_last ? nullptr : next,
                  std::min(kBlock, ends ? p.inputs : left - kBlock));
    tile.weights = next;
  }
}

void Panels(const F32Product& p, int64_t begin, int64_t end, float* scratch) {
  Tile tile = {};
  tile.in = p.in;
  tile.in_stride = p.in_stride;
  tile.panel_stride = p.inputs * kWidth;
  tile.count = p.inputs;
  tile.sums = scratch;
  tile.sums_stride = p.rows * kWidth;
  tile.is_first = true;
  const int64_t group = PanelsOf(p.rows);
  int64_t panel = begin;
  for (; group > 1 && panel + group <= end; panel += group) {
    tile.weights = p.panels + panel * tile.panel_stride;
    StreamPanels(p, tile);
    for (int64_t i = 0; i < group; ++i) FinishPanel(p, panel + i, scratch + i * tile.sums_stride);
  }
  for (; panel < end; ++panel) {
    tile.weights = p.panels + panel * tile.panel_stride;
    MultiplyPanel(p, tile, panel + 1 == end);
    FinishPanel(p, panel, scratch);
  }
}

const char* PanelsName() { return HWY_TARGET == HWY_AVX3 ? "avx512" : "avx2"; }

#else

void Panels(const F32Product&, int64_t, int64_t, float*) {
  ATTEND_CHECK(false, "float32 panels without fused multiply-add");
}

const char* PanelsName() { return nullptr; }

#endif

}  // namespace HWY_NAMESPACE
}  // namespace attend
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attend {
HWY_EXPORT(Panels);
HWY_EXPORT(PanelsName);

const char* F32PanelsName() { return HWY_DYNAMIC_DISPATCH(PanelsName)(); }

int64_t F32ScratchSize(int64_t rows) {
  constexpr int64_t kMostPanelsTimesRows = 6;  // of those that are walked at once
  return std::max(rows, kMostPanelsTimesRows) * kF32PanelOutputs;
}

void RunF32Panels(const F32Product& product, int64_t begin, int64_t end, float* scratch) {
  HWY_DYNAMIC_DISPATCH(Panels)(product, begin, end, scratch);
}

}  // namespace attend
#endif  // HWY_ONCE
