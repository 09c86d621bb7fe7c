// sigwait on blocked signals instead of a signal handler: ordinary code runs, and nothing is
// interrupted midway.
#include "server/shutdown_signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "server/logging.h"

namespace attend::server {
namespace {

sigset_t ShutdownSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

int WaitForOne() {
  const sigset_t set = ShutdownSet();
  int signal = 0;
  while (sigwait(&set, &signal) != 0) {
  }
  return signal;
}

}  // namespace

ShutdownSignal::ShutdownSignal() {
  const sigset_t set = ShutdownSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

ShutdownSignal::Cause ShutdownSignal::Wait() {
  const int first = WaitForOne();
  if (requested_) return Cause::kRequest;
  Log(LogLevel::kInfo, "shutdown asked for", {{"signal", first == SIGTERM ? "SIGTERM" : "SIGINT"}});
  std::thread([] {
    WaitForOne();
    Log(LogLevel::kWarning, "second signal: ending at once");
    std::_Exit(1);
  }).detach();
  return Cause::kSignal;
}

void ShutdownSignal::Request() {
  requested_ = true;
  ::kill(::getpid(), SIGTERM);
}

}  // namespace attend::server
