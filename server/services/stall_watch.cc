// Calls are asked outside the list's mutex, because cancelling one may end it on this very thread.
#include "server/services/stall_watch.h"

#include <vector>

#include "server/services/stream_call.h"

namespace attend::server {

StallWatch::StallWatch(absl::Duration timeout)
    : timeout_(absl::ToChronoNanoseconds(timeout)), thread_([this] { Run(); }) {}

StallWatch::~StallWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void StallWatch::Add(std::weak_ptr<StreamCall> call) {
  const std::lock_guard<std::mutex> lock(mutex_);
  calls_.push_back(std::move(call));
}

void StallWatch::Run() {
  const auto pause = std::min<std::chrono::nanoseconds>(timeout_ / 4, std::chrono::seconds(1));
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (wake_.wait_for(lock, pause, [this] { return stopping_; })) return;
    }
    // A round that fails for want of memory is made up for by the next.
    (void)RunGuarded([this]() -> absl::Status {
      Look();
      return absl::OkStatus();
    });
  }
}

void StallWatch::Look() {
  std::vector<std::shared_ptr<StreamCall>> running;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    running.reserve(calls_.size());
    for (auto it = calls_.begin(); it != calls_.end();) {
      if (std::shared_ptr<StreamCall> call = it->lock()) {
        running.push_back(std::move(call));
        ++it;
      } else {
        it = calls_.erase(it);
      }
    }
  }
  const auto now = std::chrono::steady_clock::now();
  for (const auto& call : running) call->CancelIfStalled(now);
}

}  // namespace attend::server
