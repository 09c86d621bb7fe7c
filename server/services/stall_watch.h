// Looks after streams whose client does not read: one thread that, a few times per timeout, asks
// each running stream whether its reader should have taken the message by now.
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/time/time.h"

namespace attend::server {

class StreamCall;

class StallWatch {
 public:
  explicit StallWatch(absl::Duration timeout);
  ~StallWatch();

  // Watches a call for as long as it lives.
  void Add(std::weak_ptr<StreamCall> call);

 private:
  void Run();
  void Look();

  const std::chrono::nanoseconds timeout_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::list<std::weak_ptr<StreamCall>> calls_;
  std::thread thread_;
};

}  // namespace attend::server
