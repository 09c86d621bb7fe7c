// Dot-product attention of all heads of a row: softmax(query . keys + bias) weighted sum of values.
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
  // Of a row of queries, keys or values: all heads side by side. Models may have another hidden
  // size.
  int64_t width() const { return num_heads * head_dim; }
};

// What is added to the score of a key by its distance from the query, key position - query
// position, for each head. Beyond `reach` in either direction it does not change any more.
// Borrowed.
struct DistanceBias {
  const float* values = nullptr;  // [num_heads][2 * reach + 1], distance -reach first
  int64_t reach = 0;
};

// Keys and values of consecutive tokens at a fixed distance in memory; rows are [width],
// heads side by side.
struct KeyValueRun {
  const float* keys = nullptr;
  const float* values = nullptr;
  int64_t count = 0;
  int64_t stride = 0;  // elements from one token to the next
};

// One query row [width] over all tokens of `runs`, in order; out [width].
struct AttentionQuery {
  const float* query = nullptr;
  absl::Span<const KeyValueRun> runs;
  float* out = nullptr;
};
// With a bias (nullptr: none) each query stands where its last key does. REQUIRES: every query has
// at least one key.
void AttendRows(const HeadShape& heads, absl::Span<const AttentionQuery> queries,
                const DistanceBias* bias = nullptr);

// All rows of one sequence. queries [rows, width], keys and values [count, width], out [rows,
// width]. causal: row i sees keys 0..i. probabilities: nullptr, or room for
// [num_heads][rows][count]; what a causal row does not see is 0. bias: nullptr, or with row i at
// position i.
struct SequenceAttention {
  ConstMatrixView queries, keys, values;
  bool causal = false;
  MatrixView out;
  float* probabilities = nullptr;
  const DistanceBias* bias = nullptr;
};
void AttendSequence(const HeadShape& heads, const SequenceAttention& attention);

}  // namespace attend
