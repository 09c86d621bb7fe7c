// SIGTERM and SIGINT as something to wait for. The first asks for an orderly end; a second, while
// that is under way, ends the process at once.
#pragma once

namespace attend::server {

class ShutdownSignal {
 public:
  // Blocks both signals in this thread and all that it starts afterwards. Make it first in main.
  ShutdownSignal();

  // Returns at the first signal or Request(); from then on a signal ends the process with exit
  // code 1.
  void Wait();
  // As if a signal had come.
  void Request();
};

}  // namespace attend::server
