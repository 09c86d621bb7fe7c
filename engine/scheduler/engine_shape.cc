// The bound of 16 MiB: a decode step is bound by reading the weights, at some 15 GB/s a core a
// millisecond for 16 MiB, of which fifty meetings of threads at one to two microseconds are a
// tenth.
#include "engine/scheduler/engine_shape.h"

#include <algorithm>

namespace attend {
namespace {

constexpr int64_t kSmallWeights = int64_t{16} << 20;
constexpr int kMostThreads =
    8;  // the share of a step that cannot be shared out eats what more bring

int64_t CeilingOf(int64_t n, int64_t by) { return (n + by - 1) / by; }

}  // namespace

EngineShape ChooseShape(const ShapeQuestion& question) {
  const int64_t cpus = std::max(1, question.num_cpus);
  const bool small = question.weight_bytes <= kSmallWeights;
  const int64_t shares =
      question.kv_cache_bytes / std::max<int64_t>(1, question.largest_request_bytes);
  int64_t engines = question.engines;
  if (engines == 0) {
    engines = cpus;
    if (question.threads > 0) {
      engines = cpus / question.threads;
    } else if (!small) {
      engines = CeilingOf(cpus, kMostThreads);
    }
    engines = std::clamp<int64_t>(engines, 1, std::max<int64_t>(1, shares));
  }
  int64_t threads = question.threads;
  if (threads == 0) {
    threads = small ? 1 : std::clamp<int64_t>(cpus / engines, 1, kMostThreads);
  }
  return {static_cast<int>(engines), static_cast<int>(threads)};
}

}  // namespace attend
