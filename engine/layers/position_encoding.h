// Tables of position vectors that are computed.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/layers/block_spec.h"  // PositionEncoding
#include "engine/tensor/matrix.h"

namespace attend {

// [max_positions, hidden_size]; row p is added to the embedding of the token at position p.
// RESOURCE_EXHAUSTED when memory is short.
absl::StatusOr<Matrix> MakePositionTable(PositionEncoding encoding, int64_t max_positions,
                                         int64_t hidden_size);

}  // namespace attend
