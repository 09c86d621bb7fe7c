// How many threads one op may use. A setting of the calling thread, so that two engine loops do not
// fight for cores.
//
// Ops split the rows of a batch (or sequences, or heads) over the threads and never the sum inside
// one number, so results are the same bits for every setting.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"

namespace attend {

// Of ops called from this thread from now on. Default 1. Values below 1 count as 1.
void SetOpThreads(int num_threads);
int OpThreads();

// Calls body(begin, end) on pieces that together cover [0, n), each piece at least `grain` long
// unless n is shorter, on up to OpThreads() threads. Runs on the calling thread alone when there is
// only one piece.
void ParallelFor(int64_t n, int64_t grain,
                 absl::FunctionRef<void(int64_t begin, int64_t end)> body);

}  // namespace attend
