// A fixed group of threads that shares out one piece of work at a time. The thread that made the
// team is member 0 and works along; it alone may use the team.
//
// A member without work spins for some 30 us, which is longer than the serial work between two ops
// of a step, and then sleeps. It does not spin while more members are awake, of all teams of the
// process, than the process has CPUs: then a spin takes the time of the one that it waits for.
#pragma once

#include <atomic>
#include <memory>

#include "absl/functional/function_ref.h"

namespace attend {

class ThreadTeam {
 public:
  // Starts size - 1 threads, or as many as the system grants: size() says. `cpus`: how many threads
  // can run at once; 0: members never spin.
  ThreadTeam(int size, int cpus);
  // Ends the threads and waits for them.
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return size_; }

  // Calls body(0) to body(pieces - 1), once each: 0 on the calling thread, the others on a member
  // each. Returns when all have ended. What a piece throws is thrown again here; of several, that
  // of the lowest number. REQUIRES: pieces <= size(), and not called from a body.
  void Run(int pieces, absl::FunctionRef<void(int piece)> body);

 private:
  struct Member;

  void Serve(Member* member, int number);
  void WaitForWork(Member* member);
  void WaitForEnd(Member* member);
  void CountAwake();
  void CountAsleep();
  bool MaySpin() const;

  const int cpus_;
  int size_ = 1;
  std::atomic<int> awake_{0};          // members but the first
  std::unique_ptr<Member[]> members_;  // [0] is not used
};

}  // namespace attend
