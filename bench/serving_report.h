// What serving_bench says about one run.
#pragma once

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "bench/measurement.h"
#include "bench/serving_load.h"

namespace attend::bench {

// Measures what else ran, apart from this process and the server (where its process is known).
class ServerWatch {
 public:
  // pid 0: not known.
  explicit ServerWatch(pid_t pid);
  // "foreign", "server_cores", "client_cores" and the server's memory, as far as they are known.
  void AddTo(nlohmann::ordered_json* record) const;

 private:
  const pid_t pid_;
  const ForeignCpuMeter meter_;
  const double server_seconds_;
};

// Rates, latencies and errors. Calls that asked for attention are reported apart, because others'
// latency beside them is the question.
void AddCalls(const LoadOutcome& outcome, nlohmann::ordered_json* record);

// For RunWithHealthChecks: what a call takes beyond the steps of the engine, each call by itself,
// and how much of that is more than the health check behind it took. Checks that failed are added
// to "errors", with "health_check:" before the status.
void AddOverhead(const LoadOutcome& outcome, nlohmann::ordered_json* record);

}  // namespace attend::bench
