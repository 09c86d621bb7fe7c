// What the benches run: sentences as ids, each with the number of tokens that its answer must have,
// and the orders in which they are given to an engine.
//
// A file has one sentence a line, {"src": [ids without end-of-sentence], "n": tokens}; an engine
// reads src and the end-of-sentence id, and writes exactly n tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace attend::bench {

struct WorkItem {
  std::vector<int32_t> source;  // without end-of-sentence
  int target_tokens = 0;
};

// The first `limit` sentences; 0: all. NOT_FOUND or INVALID_ARGUMENT naming file and line.
absl::StatusOr<std::vector<WorkItem>> ReadWorkload(const std::string& path, size_t limit);

enum class WorkOrder {
  kArrival,  // as in the file
  kSorted,   // short ones first: the best case of an engine that pads
  kSame      // as kSorted; only sentences of equal target length share a batch
};

// "arrival", "sorted" or "same".
absl::StatusOr<WorkOrder> ParseWorkOrder(const std::string& name);
const char* NameOf(WorkOrder order);

// Indices of items, cut into batches of at most `size`. REQUIRES: size > 0.
std::vector<std::vector<size_t>> CutIntoBatches(const std::vector<WorkItem>& items, size_t size,
                                                WorkOrder order);

}  // namespace attend::bench
