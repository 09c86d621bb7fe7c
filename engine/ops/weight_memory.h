// Memory for packed weights: aligned to cache lines, in large pages where the system has them.
// Decoding walks megabytes of weights a step, and in pages of 4 KiB it waits for their addresses:
// 13 GB/s instead of 18 from main memory on one core (bench/README.md).
#pragma once

#include <cstdint>
#include <memory>

namespace attend {

// Room for `bytes`, contents undefined; nullptr when memory is short.
std::shared_ptr<char> AllocateWeights(int64_t bytes);

}  // namespace attend
