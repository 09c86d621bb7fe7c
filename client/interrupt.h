// Ctrl-C: cancels the calls in flight and wakes whoever waits.
#pragma once

#include <grpcpp/client_context.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

namespace attend::client {

// One per process, made before any other thread, so that every thread inherits the blocked signal.
// A second Ctrl-C, or two seconds in which the program did not come to its end, ends the process at
// once.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool raised() const { return raised_; }
  // True after Ctrl-C and after CancelCalls.
  bool is_cancelling() const { return is_cancelling_; }
  // Readable once raised or cancelled; for poll.
  int fd() const { return event_fd_; }
  // Sleeps; false as soon as calls are cancelled.
  bool SleepFor(std::chrono::milliseconds duration) const;
  // Cancels every call registered now and later without the signal: used when output has nowhere to
  // go.
  void CancelCalls();

  // Registers a call for the time it runs.
  class CallScope {
   public:
    CallScope(Interrupt* interrupt, grpc::ClientContext* context);
    ~CallScope();
    CallScope(const CallScope&) = delete;
    CallScope& operator=(const CallScope&) = delete;

   private:
    Interrupt* interrupt_;
    grpc::ClientContext* context_;
  };

 private:
  void WaitForSignal();

  std::atomic<bool> raised_{false};
  std::atomic<bool> stopping_{false};
  int event_fd_ = -1;
  std::mutex mutex_;
  std::atomic<bool> is_cancelling_{false};   // written under mutex_
  std::set<grpc::ClientContext*> contexts_;  // guarded by mutex_
  std::thread thread_;                       // not started when the parent had SIGINT ignored
};

}  // namespace attend::client
