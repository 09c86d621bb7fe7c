// How many CPUs this process may use: a container's share of a machine, not the machine.
//
// Two limits count, the smaller one wins: the affinity mask (also of cpusets and taskset), and CPU
// time a period that a control group grants (docker --cpus, Kubernetes limits), where every group
// from the process's own up to the root may have one. Both versions of control groups are read.
// What cannot be read limits nothing; it is never an error.
#pragma once

#include <string>
#include <vector>

namespace attend {

struct CpuBudget {
  int num_cpus = 1;        // threads that can run at once without waiting for each other; >= 1
  int affinity = 0;        // CPUs in the mask
  double quota = 0;        // CPUs' worth of time that the control groups grant; 0: no limit
  std::string quota_file;  // the file that says so; empty: no limit
  std::vector<std::string> notes;  // files that were there and not understood, with the reason
};

// Reads the control groups as files below `root`: "" for the machine, a folder with
// proc/self/cgroup and so on for tests. affinity < 1 counts as 1.
CpuBudget ReadCpuBudget(int affinity, const std::string& root);

// Of this process; read at the first call. Thread-safe.
const CpuBudget& ProcessCpuBudget();

// "affinity 8, cpu.max 1.5", "affinity 2, no quota".
std::string DescribeLimits(const CpuBudget& budget);

}  // namespace attend
