// The products of int8_kernels.h on AMX, the tile registers of Intel processors since Sapphire
// Rapids: sixteen rows by sixteen outputs by 64 inputs an instruction, some fifteen times the rate
// of AVX-512 VNNI. Internal to the room.
#pragma once

#include <cstdint>

#include "engine/ops/int8_kernels.h"

namespace attend {

constexpr int64_t kTileRows = 16;

// Whether processor and system have them. The first call asks the system for this process.
bool HasInt8Tiles();

// Sums of all rows (any number; the input must have room for whole tiles of kTileRows) and the
// panels [begin, end), handed out tile by tile: `sums` is [rows][16 outputs].
using FinishSums = void (*)(const Int8Product& product, int64_t row, int64_t rows, int64_t panel,
                            const int32_t* sums);
void RunInt8Tiles(const Int8Product& product, int64_t begin, int64_t end, FinishSums finish);

}  // namespace attend
