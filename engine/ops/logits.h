// The normaliser and the largest entry of a row of logits. Run once per row and step over the whole
// vocabulary, so they are written for speed; their values depend on the row alone (fixed order of
// summation), never on what else is in the batch.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace attend {

// log(sum(exp(row))), within 1e-6 relative of the exact value. Entries of -inf count nothing; NaN
// entries count nothing.
float LogSumExp(absl::Span<const float> row);

// The first of the largest entries; NaN never wins. 0 when there is nothing above -inf.
int32_t ArgMax(absl::Span<const float> row);

}  // namespace attend
