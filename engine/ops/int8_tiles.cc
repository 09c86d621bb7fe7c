// A panel of packed weights is a row of B tiles as it lies: 16 groups of four inputs (tile rows) by
// 16 outputs times 4 bytes (tile columns), 1 KiB. An A tile is 64 bytes of 16 rows of the input.
//
// Two A tiles by two B tiles feed four sums, so that every tile that is loaded is used twice; up to
// sixteen rows take one A tile by four B tiles. Rows past the end are computed and forgotten.
#include "engine/ops/int8_tiles.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && __GNUC__ >= 11
#define ATTEND_HAS_AMX 1
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace attend {

#ifdef ATTEND_HAS_AMX

namespace {

#define ATTEND_AMX __attribute__((target("amx-tile,amx-int8")))

constexpr int64_t kTileBytes = 64;  // of a tile's row
constexpr int64_t kPanelTile = kTileBytes * kTileRows;

// Processor (CPUID leaf 7) and system (XCR0 by XGETBV) know tiles, and the kernel grants this
// process their 8 KiB of state, which it must be asked for (Linux' Documentation/arch/x86/xstate).
bool AskForTiles() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(1, 0, &a, &b, &c, &d) || (c & (1u << 27)) == 0) return false;  // OSXSAVE
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kAmxTile = 1u << 24, kAmxInt8 = 1u << 25;
  if ((d & kAmxTile) == 0 || (d & kAmxInt8) == 0) return false;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTileState = 3u << 17;
  if ((low & kTileState) != kTileState) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// All eight tiles 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);
// Not on the stack: the intrinsic tells the compiler of its first bytes only, and the others would
// not be written.
const TileConfig kTileConfig;

// Holds this thread's tiles; released as soon as possible, since a thread with tiles in use costs
// more to switch.
class TileScope {
 public:
  ATTEND_AMX TileScope() { _tile_loadconfig(&kTileConfig); }
  ATTEND_AMX ~TileScope() { _tile_release(); }
};

struct Block {
  const Int8Product* product;
  int64_t row, panel;
  FinishSums finish;
};

void Finish(const Block& block, int64_t row, int64_t panel, const int32_t* sums) {
  const int64_t rows = std::min(kTileRows, block.product->rows - row);
  if (rows > 0) block.finish(*block.product, row, rows, panel, sums);
}

// Asks for a tile of the panels that come next, while this one is multiplied: left to itself the
// processor stops at every 4 KiB.
inline void Prefetch(const int8_t* tile) {
  for (int64_t i = 0; i < kPanelTile; i += 64) _mm_prefetch(tile + i, _MM_HINT_T0);
}

// The tile intrinsics take their registers as constants. Tiles 0 to 3 are sums.
ATTEND_AMX inline void ZeroFourSums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

ATTEND_AMX inline void StoreFourSums(int32_t (*sums)[kTileRows * kPanelOutputs]) {
  _tile_stored(0, sums[0], kTileBytes);
  _tile_stored(1, sums[1], kTileBytes);
  _tile_stored(2, sums[2], kTileBytes);
  _tile_stored(3, sums[3], kTileBytes);
}

ATTEND_AMX void TwoByTwo(const Block& block) {
  const Int8Product& p = *block.product;
  const int64_t panel_bytes = p.inputs * kPanelOutputs;
  const int8_t* a = p.in + block.row * p.inputs;
  const int8_t* b = p.panels + block.panel * panel_bytes;
  const int64_t below = kTileRows * p.inputs;
  ZeroFourSums();
  for (int64_t k = 0; k < p.inputs; k += kTileBytes, b += kPanelTile) {
    _tile_loadd(6, b, kTileBytes);
    _tile_loadd(4, a + k, p.inputs);
    _tile_loadd(7, b + panel_bytes, kTileBytes);
    _tile_loadd(5, a + below + k, p.inputs);
    if (block.row == 0) {
      Prefetch(b + 2 * panel_bytes);
      Prefetch(b + 3 * panel_bytes);
    }
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  alignas(64) int32_t sums[4][kTileRows * kPanelOutputs];
  StoreFourSums(sums);
  Finish(block, block.row, block.panel, sums[0]);
  Finish(block, block.row, block.panel + 1, sums[1]);
  Finish(block, block.row + kTileRows, block.panel, sums[2]);
  Finish(block, block.row + kTileRows, block.panel + 1, sums[3]);
}

ATTEND_AMX void OneByFour(const Block& block) {
  const Int8Product& p = *block.product;
  const int64_t panel_bytes = p.inputs * kPanelOutputs;
  const int8_t* a = p.in + block.row * p.inputs;
  const int8_t* b = p.panels + block.panel * panel_bytes;
  ZeroFourSums();
  for (int64_t k = 0; k < p.inputs; k += kTileBytes, b += kPanelTile) {
    _tile_loadd(4, a + k, p.inputs);
    _tile_loadd(5, b, kTileBytes);
    _tile_loadd(6, b + panel_bytes, kTileBytes);
    _tile_loadd(7, b + 2 * panel_bytes, kTileBytes);
    if (block.row == 0) {
      for (int64_t j = 4; j < 8; ++j) Prefetch(b + j * panel_bytes);
    }
    _tile_dpbssd(0, 4, 5);
    _tile_loadd(5, b + 3 * panel_bytes, kTileBytes);
    _tile_dpbssd(1, 4, 6);
    _tile_dpbssd(2, 4, 7);
    _tile_dpbssd(3, 4, 5);
  }
  alignas(64) int32_t sums[4][kTileRows * kPanelOutputs];
  StoreFourSums(sums);
  for (int64_t j = 0; j < 4; ++j) Finish(block, block.row, block.panel + j, sums[j]);
}

ATTEND_AMX void OneByOne(const Block& block) {
  const Int8Product& p = *block.product;
  const int8_t* a = p.in + block.row * p.inputs;
  const int8_t* b = p.panels + block.panel * p.inputs * kPanelOutputs;
  _tile_zero(0);
  for (int64_t k = 0; k < p.inputs; k += kTileBytes, b += kPanelTile) {
    _tile_loadd(4, a + k, p.inputs);
    _tile_loadd(5, b, kTileBytes);
    _tile_dpbssd(0, 4, 5);
  }
  alignas(64) int32_t sums[kTileRows * kPanelOutputs];
  _tile_stored(0, sums, kTileBytes);
  Finish(block, block.row, block.panel, sums);
}

}  // namespace

bool HasInt8Tiles() {
  static const bool has = AskForTiles();
  return has;
}

void RunInt8Tiles(const Int8Product& product, int64_t begin, int64_t end, FinishSums finish) {
  const TileScope scope;
  for (int64_t panel = begin; panel < end;) {
    const int64_t left = end - panel;
    const int64_t panels = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    for (int64_t row = 0; row < product.rows;) {
      const Block block = {&product, row, panel, finish};
      if (panels >= 2 && product.rows - row > kTileRows) {
        for (int64_t j = 0; j < panels; j += 2) TwoByTwo({&product, row, panel + j, finish});
        row += 2 * kTileRows;
        continue;
      }
      if (panels == 4) {
        OneByFour(block);
      } else {
        for (int64_t j = 0; j < panels; ++j) OneByOne({&product, row, panel + j, finish});
      }
      row += kTileRows;
    }
    panel += panels;
  }
}

#else

bool HasInt8Tiles() { return false; }
void RunInt8Tiles(const Int8Product&, int64_t, int64_t, FinishSums) {}

#endif

}  // namespace attend
