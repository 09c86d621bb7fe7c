// SIGTERM and SIGINT as something to wait for. The first asks for an orderly end; a second, while
// that is under way, ends the process at once.
#pragma once

#include <atomic>

namespace attend::server {

class ShutdownSignal {
 public:
  // Blocks both signals in this thread and all that it starts afterwards. Make it first in main.
  ShutdownSignal();

  enum class Cause { kSignal, kRequest };
  // Returns at the first signal or Request(); from then on a signal ends the process with exit
  // code 1.
  Cause Wait();
  // Ends the wait from within the process. What was written before is visible after Wait.
  void Request();

 private:
  std::atomic<bool> requested_{false};
};

}  // namespace attend::server
