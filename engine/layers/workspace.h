// Scratch memory of the passes. Grows to what the largest pass needs and is used again by the next,
// so that steady decoding allocates nothing. One per thread; holds nothing between passes.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/ops/attention.h"
#include "engine/tensor/matrix.h"

namespace attend {

class Workspace {
 public:
  Matrix hidden;        // [rows, hidden_size]: what runs through the layers
  Matrix normed;        // [rows, hidden_size]: pre-norm input of a sub-layer
  Matrix projected;     // [rows, 3 * width of heads]: query, key, value; or the cross query
  Matrix context;       // [rows, width of heads]: weighted sums of values
  Matrix sublayer;      // [rows, hidden_size]: output of a sub-layer
  Matrix intermediate;  // [rows, intermediate_size]
  Matrix gates;         // [rows, 2 * intermediate_size]: gate and up of a gated feed-forward
  std::vector<float> probabilities;  // [heads][queries][keys] of one observed sequence
  std::vector<int32_t> token_ids, positions;
  std::vector<KeyValueRun> runs;  // of all rows of a step
  std::vector<AttentionQuery> queries;
};

}  // namespace attend
