// Tables of position vectors that are computed.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/layers/block_spec.h"  // PositionEncoding
#include "engine/tensor/matrix.h"

namespace attend {

// Positions [first, first + count).
struct PositionRange {
  int64_t first = 0, count = 0;
};

// [positions.count, hidden_size]. RESOURCE_EXHAUSTED when memory is short. REQUIRES: an encoding of
// sinusoids; the others have nothing to compute.
absl::StatusOr<Matrix> MakePositionTable(PositionEncoding encoding, const PositionRange& positions,
                                         int64_t hidden_size);

}  // namespace attend
