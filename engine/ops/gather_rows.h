// Embedding look-up: rows of a table, scaled, with a second row (the position) added.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "engine/ops/int8_weight.h"
#include "engine/tensor/matrix.h"

namespace attend {

// out[i] = table[ids[i]] * scale + addends[addend_rows[i]]; without the sum where `addends` has no
// data, and then addend_rows are not looked at.
// REQUIRES: ids and addend_rows within their tables, as many as out has rows; equal widths.
void GatherScaledSum(ConstMatrixView table, absl::Span<const int32_t> ids, float scale,
                     ConstMatrixView addends, absl::Span<const int32_t> addend_rows,
                     MatrixView out);
// The same from a quantised table, whose rows are the weight's outputs.
void GatherScaledSum(const Int8Weight& table, absl::Span<const int32_t> ids, float scale,
                     ConstMatrixView addends, absl::Span<const int32_t> addend_rows,
                     MatrixView out);

// out[i] += table[rows[i]]. REQUIRES: rows within the table, as many as out has; equal widths.
void AddGatheredRows(ConstMatrixView table, absl::Span<const int32_t> rows, MatrixView out);

}  // namespace attend
