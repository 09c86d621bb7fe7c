// What every bench reports about numbers and about the machine they were taken on.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace attend::bench {

// The p-th percentile, 0 to 100, between the two nearest values as numpy's default does; 0 when
// there are no values.
double Percentile(std::vector<double> values, double p);

// To so many digits behind the point, for JSON that people read.
double Rounded(double value, int digits);

// Measures how much of the machine other processes (or the hypervisor) used from the construction
// on: a run beside which something else ran is no measurement.
class ForeignCpuMeter {
 public:
  ForeignCpuMeter();
  double WallSeconds() const;
  // Cores that were busy with something else, on average.
  double ForeignCores() const;
  // Cores that this process used, on average.
  double OwnCores() const;

 private:
  std::chrono::steady_clock::time_point start_;
  double machine_seconds_, own_seconds_;
};

std::string CpuName();  // as the kernel calls it
double LoadAverage();   // of the last minute

// MB of a process, 0 being this one; 0 where the kernel does not say.
double ResidentMb(pid_t pid = 0);      // now
double PeakResidentMb(pid_t pid = 0);  // so far

// Seconds since the kernel started this process.
double SecondsSinceProcessStart();

}  // namespace attend::bench
