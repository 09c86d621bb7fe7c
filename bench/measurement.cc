#include "bench/measurement.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

namespace attend::bench {
namespace {

double ClockSeconds(clockid_t clock) {
  timespec time = {};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Of all processes: user, nice, system, interrupts and what the hypervisor took; not idle and not
// waiting for disks.
double MachineBusySeconds() {
  std::ifstream file("/proc/stat");
  std::string name;
  file >> name;
  double ticks = 0, value = 0;
  for (int i = 0; i < 8 && file >> value; ++i) ticks += i == 3 || i == 4 ? 0 : value;
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double StatusMb(pid_t pid, const std::string& key) {
  std::ifstream file("/proc/" + (pid == 0 ? "self" : std::to_string(pid)) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size() + 1, key + ":") == 0) {
      return std::stod(line.substr(key.size() + 1)) / 1024;
    }
  }
  return 0;
}

}  // namespace

double Percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double place = static_cast<double>(values.size() - 1) * p / 100;
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (place - static_cast<double>(below));
}

double Rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

ForeignCpuMeter::ForeignCpuMeter()
    : start_(std::chrono::steady_clock::now()),
      machine_seconds_(MachineBusySeconds()),
      own_seconds_(ClockSeconds(CLOCK_PROCESS_CPUTIME_ID)) {}

double ForeignCpuMeter::WallSeconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

double ForeignCpuMeter::ForeignCores() const {
  const double machine = (MachineBusySeconds() - machine_seconds_) / std::max(WallSeconds(), 1e-9);
  return std::max(0.0, machine - OwnCores());
}

double ForeignCpuMeter::OwnCores() const {
  return (ClockSeconds(CLOCK_PROCESS_CPUTIME_ID) - own_seconds_) / std::max(WallSeconds(), 1e-9);
}

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.compare(0, 10, "model name") == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

double LoadAverage() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

double ResidentMb(pid_t pid) { return StatusMb(pid, "VmRSS"); }
double PeakResidentMb(pid_t pid) { return StatusMb(pid, "VmHWM"); }

double SecondsSinceProcessStart() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  // The second field is the program's name in brackets and may hold spaces; the start is the 22nd.
  std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  const double start = std::strtod(field.c_str(), nullptr) / sysconf(_SC_CLK_TCK);
  return ClockSeconds(CLOCK_BOOTTIME) - start;
}

}  // namespace attend::bench
