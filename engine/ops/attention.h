// Scaled dot-product attention of all heads of a row: softmax(query . keys) weighted sum of values.
// The scale of the scores is the caller's business (folded into the query projection at load). Each
// query row is computed by itself.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "engine/tensor/matrix.h"

namespace attend {

struct HeadShape {
  int num_heads = 0;
  int64_t head_dim = 0;
  int64_t hidden_size() const { return num_heads * head_dim; }
};

// Keys and values of consecutive tokens at a fixed distance in memory; rows are [hidden_size],
// heads side by side.
struct KeyValueRun {
  const float* keys = nullptr;
  const float* values = nullptr;
  int64_t count = 0;
  int64_t stride = 0;  // elements from one token to the next
};

// One query row [hidden_size] over all tokens of `runs`, in order; out [hidden_size].
struct AttentionQuery {
  const float* query = nullptr;
  absl::Span<const KeyValueRun> runs;
  float* out = nullptr;
};
// REQUIRES: every query has at least one key.
void AttendRows(const HeadShape& heads, absl::Span<const AttentionQuery> queries);

// All rows of one sequence. queries [rows, hidden], keys and values [count, hidden], out [rows,
// hidden]. causal: row i sees keys 0..i. probabilities: nullptr, or room for
// [num_heads][rows][count]; what a causal row does not see is 0.
struct SequenceAttention {
  ConstMatrixView queries, keys, values;
  bool causal = false;
  MatrixView out;
  float* probabilities = nullptr;
};
void AttendSequence(const HeadShape& heads, const SequenceAttention& attention);

}  // namespace attend
