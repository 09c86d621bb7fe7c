// /proc/self/stat: field 14 and 15 are user and system time in ticks, 20 threads, 22 start after
// boot in ticks, 23 virtual bytes, 24 resident pages. The command name (field 2) may hold anything,
// so counting starts after its ')'.
#include "server/metrics/process_collector.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

#include "server/logging.h"
#include "server/metrics/metric_table.h"

namespace attend::server {
namespace {

prometheus::MetricFamily Family(Metric metric) {
  const MetricRow& row = RowOf(metric);
  prometheus::MetricFamily family;
  family.name = row.name;
  family.help = row.help;
  family.type = row.type == MetricType::kCounter ? prometheus::MetricType::Counter
                                                 : prometheus::MetricType::Gauge;
  return family;
}

void AddValue(double value, prometheus::MetricFamily* family) {
  prometheus::ClientMetric metric;
  if (family->type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family->metric.push_back(std::move(metric));
}

prometheus::MetricFamily Single(Metric metric, double value) {
  prometheus::MetricFamily family = Family(metric);
  AddValue(value, &family);
  return family;
}

// Fields of /proc/self/stat from the third on ([0] is the state).
std::vector<std::string> ReadStat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  std::vector<std::string> fields;
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return fields;
  std::istringstream rest(line.substr(name_end + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

double Number(const std::vector<std::string>& fields, size_t number) {
  if (number < 3 || number - 3 >= fields.size()) return 0;
  return std::strtod(fields[number - 3].c_str(), nullptr);
}

double BootTime() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

double CountOpenFds() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

std::vector<prometheus::MetricFamily> CollectProcessMetrics() {
  const std::vector<std::string> stat = ReadStat();
  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  std::vector<prometheus::MetricFamily> families = {
      Single(Metric::kProcessCpu, (Number(stat, 14) + Number(stat, 15)) / ticks),
      Single(Metric::kProcessResidentMemory, Number(stat, 24) * page),
      Single(Metric::kProcessVirtualMemory, Number(stat, 23)),
      Single(Metric::kProcessOpenFds, CountOpenFds()),
      Single(Metric::kProcessMaxFds, static_cast<double>(limit.rlim_cur)),
      Single(Metric::kProcessStartTime, BootTime() + Number(stat, 22) / ticks),
      Single(Metric::kProcessThreads, Number(stat, 20)),
  };
  prometheus::MetricFamily logs = Family(Metric::kLogMessages);
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    AddValue(static_cast<double>(NumLogRecords(level)), &logs);
    logs.metric.back().label.push_back({RowOf(Metric::kLogMessages).labels[0], Name(level)});
  }
  families.push_back(std::move(logs));
  return families;
}

}  // namespace attend::server
