// Each thread that asks for more than one gets a team of its own, made when an op first has work to
// share out. oneDNN is always kept to the thread that calls it: it asks OpenMP how many threads it
// may use, and every thread here has told OpenMP: one.
#include "engine/ops/op_threads.h"

#include <omp.h>

#include <algorithm>
#include <memory>

#include "engine/base/cpu_budget.h"
#include "engine/ops/thread_team.h"

namespace attend {
namespace {

struct ThreadSetting {
  // The first use in a thread also tells oneDNN.
  ThreadSetting() { omp_set_num_threads(1); }

  int num_threads = 1;
  bool shares_out = false;  // this thread runs a piece of a loop
  int team_for = 1;         // num_threads that the team was made for
  std::unique_ptr<ThreadTeam> team;
};

ThreadSetting& Setting() {
  thread_local ThreadSetting setting;
  return setting;
}

// The system may grant a team of fewer threads; it is not asked again at every op.
ThreadTeam& TeamOf(ThreadSetting* setting) {
  if (setting->team == nullptr || setting->team_for != setting->num_threads) {
    setting->team.reset();
    setting->team_for = setting->num_threads;
    setting->team = std::make_unique<ThreadTeam>(setting->num_threads, ProcessCpuBudget().num_cpus);
  }
  return *setting->team;
}

// While it lives, loops of this thread run serially.
class SerialScope {
 public:
  SerialScope() : setting_(Setting()), before_(setting_.shares_out) { setting_.shares_out = true; }
  ~SerialScope() { setting_.shares_out = before_; }
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  ThreadSetting& setting_;
  const bool before_;
};

}  // namespace

void SetOpThreads(int num_threads) {
  ThreadSetting& setting = Setting();
  setting.num_threads = std::max(1, num_threads);
  if (setting.num_threads == 1 && !setting.shares_out) setting.team.reset();
}

int OpThreads() {
  const ThreadSetting& setting = Setting();
  return setting.shares_out ? 1 : setting.num_threads;
}

void ParallelFor(int64_t n, int64_t grain,
                 absl::FunctionRef<void(int64_t begin, int64_t end)> body) {
  if (n <= 0) return;
  const int64_t most = std::max<int64_t>(1, n / std::max<int64_t>(1, grain));
  int64_t pieces = std::min<int64_t>(OpThreads(), most);
  ThreadTeam* team = pieces > 1 ? &TeamOf(&Setting()) : nullptr;
  if (team != nullptr) pieces = std::min<int64_t>(pieces, team->size());
  if (pieces <= 1) {
    body(0, n);
    return;
  }
  team->Run(static_cast<int>(pieces), [&](int p) {
    const SerialScope serial;
    body(n * p / pieces, n * (p + 1) / pieces);
  });
}

}  // namespace attend
