// Far above every published model; below what could make a wrong file cost much before its tensors
// are looked at.
#pragma once

#include <cstdint>

namespace attend {

constexpr int64_t kMaxHiddenSize = 16384, kMaxLayers = 256, kMaxHeads = 1024, kMaxHeadDim = 4096,
                  kMaxIntermediateSize = 131072;
constexpr int64_t kMaxVocabSize = 4 << 20, kMaxPositions = 65536, kMaxSegments = 1024;
constexpr int64_t kMaxPositionTable = int64_t{64} << 20;  // elements

}  // namespace attend
