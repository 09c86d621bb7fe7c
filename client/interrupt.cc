// A thread waits for the signal with sigwait: cancelling a gRPC call is not something a signal
// handler may do.
#include "client/interrupt.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "client/exit_code.h"

namespace attend::client {
namespace {

sigset_t OnlySigint() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

Interrupt::Interrupt() : event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  struct sigaction current = {};
  // A shell starts background jobs with SIGINT ignored; that is a wish to be left alone.
  if (sigaction(SIGINT, nullptr, &current) == 0 && current.sa_handler == SIG_IGN) return;
  const sigset_t set = OnlySigint();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this] { WaitForSignal(); });
}

Interrupt::~Interrupt() {
  stopping_ = true;
  if (thread_.joinable()) {
    pthread_kill(thread_.native_handle(), SIGINT);
    thread_.join();
  }
  if (event_fd_ >= 0) close(event_fd_);
}

void Interrupt::WaitForSignal() {
  const sigset_t set = OnlySigint();
  while (sigwaitinfo(&set, nullptr) < 0) {
  }
  if (stopping_) return;
  raised_ = true;
  CancelCalls();
  const timespec patience = {2, 0};
  const bool has_second_signal = sigtimedwait(&set, nullptr, &patience) >= 0;
  if (!(has_second_signal && stopping_)) _exit(kExitInterrupted);
}

bool Interrupt::SleepFor(std::chrono::milliseconds duration) const {
  pollfd wait = {event_fd_, POLLIN, 0};
  const auto end = std::chrono::steady_clock::now() + duration;
  while (!is_cancelling_) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return true;
    poll(&wait, 1, static_cast<int>(left.count()));
  }
  return false;
}

void Interrupt::CancelCalls() {
  const std::lock_guard<std::mutex> lock(mutex_);
  is_cancelling_ = true;
  const uint64_t one = 1;
  if (write(event_fd_, &one, sizeof one) < 0) _exit(kExitInterrupted);
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
}

Interrupt::CallScope::CallScope(Interrupt* interrupt, grpc::ClientContext* context)
    : interrupt_(interrupt), context_(context) {
  const std::lock_guard<std::mutex> lock(interrupt_->mutex_);
  interrupt_->contexts_.insert(context_);
  if (interrupt_->is_cancelling_) context_->TryCancel();
}

Interrupt::CallScope::~CallScope() {
  const std::lock_guard<std::mutex> lock(interrupt_->mutex_);
  interrupt_->contexts_.erase(context_);
}

}  // namespace attend::client
