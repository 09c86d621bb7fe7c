// How many threads one op may use. A setting of the calling thread, so that two engine loops do not
// fight for cores.
//
// Ops split the rows of a batch (or sequences, or heads) over the threads and never the sum inside
// one number, so results are the same bits for every setting.
//
// A thread that asks for n > 1 has a team of n - 1 helpers (ops/thread_team.h), from the first op
// that shares out work until it asks for 1 or ends. Threads of the application's own, not
// OpenMP's: oneDNN, which is built on OpenMP, stays within the thread that calls it.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"

namespace attend {

// Of ops called from this thread from now on. Default 1. Values below 1 count as 1.
void SetOpThreads(int num_threads);
int OpThreads();

// Calls body(begin, end) on pieces that together cover [0, n), each piece at least `grain` long
// unless n is shorter, on up to OpThreads() threads. Runs on the calling thread alone when there is
// only one piece. A loop inside a body runs on its thread alone. What a body throws is thrown here
// once all pieces have ended. The index may count rows, columns, heads or anything else that can be
// computed apart.
void ParallelFor(int64_t n, int64_t grain,
                 absl::FunctionRef<void(int64_t begin, int64_t end)> body);

}  // namespace attend
