// Included before Highway: which instruction sets our loops are compiled for. The processor chooses
// at run time. The others bring nothing to float arithmetic but compile time, so AVX-512 (the first
// kind), AVX2, SSE4 and the baseline are left.
#pragma once

// Bits as hwy/detect_targets.h numbers them (by number, because the names differ between
// Highway 1.0 and 1.2): AVX3_SPR 4, AVX3_ZEN4 6, AVX3_DL 7, SSSE3 12.
#define HWY_DISABLED_TARGETS ((1LL << 4) | (1LL << 6) | (1LL << 7) | (1LL << 12))
