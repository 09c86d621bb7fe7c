// Included before Highway: which instruction sets our loops are compiled for. The processor chooses
// at run time. The others bring nothing to float arithmetic but compile time, so AVX-512 (the first
// kind), AVX2, SSE4 and the baseline are left. Files whose loops gain from the integer products of
// AVX-512 VNNI define ATTEND_SIMD_VNNI first.
#pragma once

// Bits as hwy/detect_targets.h numbers them (by number, because the names differ between
// Highway 1.0 and 1.2): AVX3_SPR 4, AVX3_ZEN4 6, AVX3_DL 7 (the one with VNNI), SSSE3 12.
#ifdef ATTEND_SIMD_VNNI
#define HWY_WANT_AVX3_DL
#define HWY_DISABLED_TARGETS ((1LL << 4) | (1LL << 6) | (1LL << 12))
#else
#define HWY_DISABLED_TARGETS ((1LL << 4) | (1LL << 6) | (1LL << 7) | (1LL << 12))
#endif
