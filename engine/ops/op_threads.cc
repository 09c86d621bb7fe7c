// OpenMP's team, because oneDNN is built on it and one pool is enough. oneDNN itself is always kept
// to the calling thread: inside a parallel region it sees that it is nested, outside of one the
// thread's OpenMP setting is 1.
#include "engine/ops/op_threads.h"

#include <omp.h>

#include <algorithm>

namespace attend {
namespace {

int& Setting() {
  // The first use in a thread also tells oneDNN, which asks OpenMP.
  thread_local int setting = [] {
    omp_set_num_threads(1);
    return 1;
  }();
  return setting;
}

}  // namespace

void SetOpThreads(int num_threads) { Setting() = std::max(1, num_threads); }

int OpThreads() { return omp_in_parallel() ? 1 : Setting(); }

void ParallelFor(int64_t n, int64_t grain,
                 absl::FunctionRef<void(int64_t begin, int64_t end)> body) {
  if (n <= 0) return;
  const int64_t pieces =
      std::min<int64_t>(OpThreads(), std::max<int64_t>(1, n / std::max<int64_t>(1, grain)));
  if (pieces <= 1) {
    body(0, n);
    return;
  }
#pragma omp parallel for num_threads(static_cast <int>(pieces)) schedule(static, 1)
  for (int64_t p = 0; p < pieces; ++p) body(n * p / pieces, n * (p + 1) / pieces);
}

}  // namespace attend
