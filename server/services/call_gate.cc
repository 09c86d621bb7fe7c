// A refused call enters and leaves as well: it, too, has an answer on its way.
#include "server/services/call_gate.h"

#include "engine/base/call_errors.h"

namespace attend::server {

void CallGate::Enter() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++inside_;
}

void CallGate::Leave() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--inside_ == 0) empty_.notify_all();
}

void CallGate::Shut() {
  const std::lock_guard<std::mutex> lock(mutex_);
  shut_ = true;
}

absl::Status CallGate::CheckOpen() const {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!shut_) return absl::OkStatus();
  }
  return ShuttingDown("server");
}

bool CallGate::WaitUntilEmpty(absl::Time until) {
  std::unique_lock<std::mutex> lock(mutex_);
  return empty_.wait_until(lock, absl::ToChronoTime(until), [this] { return inside_ == 0; });
}

}  // namespace attend::server
