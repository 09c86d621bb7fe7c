// Puts the slices of StreamAttention together again.
#pragma once

#include <optional>
#include <string>

#include "attend/v1/attention.pb.h"

namespace attend::client {

// Holds one matrix at a time. Slices of a matrix come in row order, matrices one after the other.
class MatrixAssembler {
 public:
  // Takes one slice. Returns the matrix before it when this slice begins another one. A slice that
  // does not continue what came before sets `*problem`.
  std::optional<attend::v1::AttentionMatrix> Add(const attend::v1::AttentionSlice& slice,
                                                 std::string* problem);

  // The last matrix, once the stream has ended.
  std::optional<attend::v1::AttentionMatrix> Finish();

 private:
  std::optional<attend::v1::AttentionMatrix> current_;
};

}  // namespace attend::client
