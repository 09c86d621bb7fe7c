// The normaliser and the largest entries of a row of logits. Run once per row and step over the
// whole vocabulary, so they are written for speed; their values depend on the row alone (fixed
// order of summation), never on what else is in the batch.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace attend {

// log(sum(exp(row))), within 1e-6 relative of the exact value. Entries of -inf count nothing; NaN
// entries count nothing.
float LogSumExp(absl::Span<const float> row);

// The first of the largest entries; NaN never wins. 0 when there is nothing above -inf.
int32_t ArgMax(absl::Span<const float> row);

// Both at once, the same bits, in fewer passes over the row.
struct RowSummary {
  float largest = 0;      // row[arg_max]; -inf where there is nothing above it
  int32_t arg_max = 0;    // ArgMax
  float log_sum_exp = 0;  // LogSumExp
};
RowSummary Summarise(absl::Span<const float> row);

// The first index >= begin with (row[i] - subtract) + add > threshold, each step rounded to float32
// as written; row.size() when there is none. NaN never counts. REQUIRES: 0 <= begin <= row.size().
int64_t NextAbove(absl::Span<const float> row, int64_t begin, float subtract, float add,
                  float threshold);

}  // namespace attend
