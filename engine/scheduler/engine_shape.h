// How many engine loops serve a model, and how many threads each of them computes a step with.
//
// More threads make one step shorter: all sequences gain, and the weights are read once for all.
// But the threads meet some fifty times a step, which a step of well under a millisecond cannot pay
// for; more engines, each with its own batch, then make better use of the CPUs.
#pragma once

#include <cstdint>

namespace attend {

struct EngineShape {
  int engines = 1, threads = 1;
};

struct ShapeQuestion {
  int engines = 0, threads = 0;  // as asked for; 0: chosen here
  int num_cpus = 1;              // that the process may use
  int64_t weight_bytes = 0;      // that a step reads
  // Engines share the cache's bytes out; the largest request that callers may make must fit into
  // one share, or it could never run.
  int64_t kv_cache_bytes = 0, largest_request_bytes = 0;
};

// What is asked for is done. Otherwise engines x threads is at most num_cpus. Up to 16 MiB of
// weights: one thread each, as many engines as CPUs. Above: one engine with all CPUs as threads,
// more engines once it would have more than 8. Fewer engines where the cache is too small to share.
EngineShape ChooseShape(const ShapeQuestion& question);

}  // namespace attend
