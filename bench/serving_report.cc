#include "bench/serving_report.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace attend::bench {
namespace {

using Json = nlohmann::ordered_json;

// User and system time of a process and its threads so far.
double CpuSeconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
  std::string field;
  for (int i = 3; i <= 13; ++i) fields >> field;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void AddLatencies(const std::vector<double>& latencies, Json* record) {
  for (const auto& [name, p] : {std::pair<const char*, double>{"p50_ms", 50},
                                {"p95_ms", 95},
                                {"p99_ms", 99},
                                {"max_ms", 100}}) {
    (*record)[name] = Rounded(Percentile(latencies, p) * 1e3, 3);
  }
}

Json PercentilesMs(const std::vector<double>& values) {
  Json record;
  record["p50"] = Rounded(Percentile(values, 50) * 1e3, 4);
  record["p95"] = Rounded(Percentile(values, 95) * 1e3, 4);
  return record;
}

}  // namespace

ServerWatch::ServerWatch(pid_t pid) : pid_(pid), server_seconds_(pid > 0 ? CpuSeconds(pid) : 0) {}

void ServerWatch::AddTo(Json* record) const {
  const double wall = meter_.WallSeconds();
  (*record)["client_cores"] = Rounded(meter_.OwnCores(), 2);
  if (pid_ > 0) {
    const double server = (CpuSeconds(pid_) - server_seconds_) / wall;
    (*record)["server_cores"] = Rounded(server, 2);
    (*record)["foreign"] = Rounded(std::max(0.0, meter_.ForeignCores() - server), 2);
    (*record)["server_rss_mb"] = Rounded(ResidentMb(pid_), 1);
    (*record)["server_peak_mb"] = Rounded(PeakResidentMb(pid_), 1);
  }
  (*record)["load_average"] = Rounded(LoadAverage(), 2);
  (*record)["cpu"] = CpuName();
}

void AddCalls(const LoadOutcome& outcome, Json* record) {
  std::vector<double> latencies, with_attention, lateness;
  std::map<std::string, int> errors;
  int64_t tokens = 0;
  double batch = 0, answered = 0;
  for (const CallRecord& call : outcome.calls) {
    lateness.push_back(call.lateness);
    if (!call.error.empty()) {
      ++errors[call.error];
      continue;
    }
    (call.attention ? with_attention : latencies).push_back(call.latency);
    tokens += call.output_tokens;
    batch += call.peak_batch;
    ++answered;
  }
  (*record)["wall_s"] = Rounded(outcome.wall_seconds, 3);
  (*record)["requests"] = outcome.calls.size();
  (*record)["tgt_tokens"] = tokens;
  (*record)["req_s"] = Rounded(answered / outcome.wall_seconds, 2);
  (*record)["tok_s"] = Rounded(static_cast<double>(tokens) / outcome.wall_seconds, 1);
  (*record)["mean_batch"] = Rounded(batch / std::max(1.0, answered), 2);
  AddLatencies(latencies, record);
  (*record)["late_p99_ms"] = Rounded(Percentile(lateness, 99) * 1e3, 3);
  (*record)["errors"] = Json::object();
  for (const auto& [name, count] : errors) (*record)["errors"][name] = count;
  if (with_attention.empty()) return;
  Json& attention = (*record)["attention"];
  attention["requests"] = with_attention.size();
  AddLatencies(with_attention, &attention);
}

void AddOverhead(const LoadOutcome& outcome, Json* record) {
  std::vector<double> beyond_engine, beyond_server, queue, health_check, beyond_health_check;
  std::map<std::string, int> errors;
  for (const CallRecord& call : outcome.calls) {
    if (!call.error.empty()) continue;
    beyond_engine.push_back(call.latency - call.engine_seconds);
    beyond_server.push_back(call.latency - call.server_seconds);
    queue.push_back(call.queue_seconds);
    if (call.health_check_seconds.has_value()) {
      health_check.push_back(*call.health_check_seconds);
      beyond_health_check.push_back(beyond_engine.back() - health_check.back());
    } else if (!call.health_check_error.empty()) {
      ++errors["health_check:" + call.health_check_error];
    }
  }
  (*record)["beyond_engine_ms"] = PercentilesMs(beyond_engine);
  (*record)["beyond_server_ms"] = PercentilesMs(beyond_server);
  (*record)["queue_ms"] = PercentilesMs(queue);
  (*record)["health_check_ms"] = PercentilesMs(health_check);
  (*record)["beyond_health_check_ms"] = PercentilesMs(beyond_health_check);
  for (const auto& [name, count] : errors) (*record)["errors"][name] = count;
}

}  // namespace attend::bench
