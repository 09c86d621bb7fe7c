// Sequences laid end to end, without padding: the input of every stack.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace attend {

struct RaggedBatch {
  std::vector<int32_t> token_ids;  // [total_tokens]
  std::vector<int32_t> cumulative_lengths = {
      0};  // [num_sequences + 1]; sequence i owns [c[i], c[i+1])
  // [total_tokens], or empty: all are 0. For models whose embeddings know segments.
  std::vector<int32_t> segment_ids;

  int num_sequences() const { return static_cast<int>(cumulative_lengths.size()) - 1; }
  int64_t total_tokens() const { return cumulative_lengths.back(); }
  int begin(int i) const { return cumulative_lengths[static_cast<size_t>(i)]; }
  int length(int i) const { return cumulative_lengths[static_cast<size_t>(i) + 1] - begin(i); }

  // REQUIRES: ids not empty.
  void Add(absl::Span<const int32_t> ids) {
    token_ids.insert(token_ids.end(), ids.begin(), ids.end());
    cumulative_lengths.push_back(static_cast<int32_t>(token_ids.size()));
    if (!segment_ids.empty()) segment_ids.resize(token_ids.size(), 0);
  }
  // REQUIRES: as many segments as ids.
  void Add(absl::Span<const int32_t> ids, absl::Span<const int32_t> segments) {
    segment_ids.resize(token_ids.size(), 0);
    segment_ids.insert(segment_ids.end(), segments.begin(), segments.end());
    Add(ids);
  }
  void Clear() {
    token_ids.clear();
    segment_ids.clear();
    cumulative_lengths.assign(1, 0);
  }
};

}  // namespace attend
