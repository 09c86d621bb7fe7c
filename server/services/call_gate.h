// Where calls come in and go out: counts those that are inside, and shuts when the server drains,
// so that draining can wait for streams whose reader takes its time after the engine has ended.
// Safe from any thread.
#pragma once

#include <condition_variable>
#include <mutex>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace attend::server {

class CallGate {
 public:
  void Enter();
  void Leave();

  // From now on CheckOpen says UNAVAILABLE / SHUTTING_DOWN.
  void Shut();
  absl::Status CheckOpen() const;
  // Whether every call has left by then.
  bool WaitUntilEmpty(absl::Time until);

 private:
  mutable std::mutex mutex_;
  std::condition_variable empty_;
  int inside_ = 0;
  bool shut_ = false;
};

}  // namespace attend::server
