// A loop that runs nothing by itself: the test says what each request it was given comes to. And
// requests that write down what they were told.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "engine/scheduler/merged_requests.h"
#include "gtest/gtest.h"

namespace attend {

struct ScriptedLoop {
  std::vector<std::shared_ptr<GenerationRequest>> running;  // in order of submission
  absl::Status refusal;                                     // of the next Submit; OK: taken
  std::atomic<int> num_wakes{0};

  LoopDoor Door() {
    LoopDoor door;
    door.submit = [this](std::shared_ptr<GenerationRequest> request) {
      if (refusal.ok()) running.push_back(std::move(request));
      return refusal;
    };
    door.wake = [this] { ++num_wakes; };
    return door;
  }
  void Settle(size_t index, std::vector<int32_t> tokens) { running[index]->on_settled(tokens); }
  void Finish(size_t index, GenerationResult result) {
    const auto request = std::move(running[index]);
    request->on_done(std::move(result));
  }
  bool IsStopped(size_t index) const {
    return running[index]->cancelled != nullptr && running[index]->cancelled->load();
  }
};

inline GenerationResult ResultOf(std::vector<int32_t> tokens) {
  GenerationResult result;
  result.hypotheses.resize(1);
  result.hypotheses[0].log_probs.assign(tokens.size(), -0.25f);
  result.hypotheses[0].score = -0.125;
  result.hypotheses[0].tokens = std::move(tokens);
  result.stats.queue = absl::Hours(1);
  result.stats.decode = absl::Hours(1);
  result.stats.computed_tokens = 7;
  return result;
}

// One who asks.
class Asker {
 public:
  explicit Asker(std::vector<int32_t> source = {3, 4, 5})
      : request(std::make_shared<GenerationRequest>()),
        cancelled(std::make_shared<std::atomic<bool>>(false)) {
    request->source_ids = std::move(source);
    request->cancelled = cancelled;
    request->on_done = [this](GenerationResult result) {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++num_answers_;
      result_ = std::move(result);
      answered_.notify_all();
    };
  }
  // Streams: what is told is in settled().
  void Listen() {
    request->on_settled = [this](absl::Span<const int32_t> tokens) {
      const std::lock_guard<std::mutex> lock(mutex_);
      EXPECT_EQ(num_answers_, 0) << "tokens after the answer";
      settled_.insert(settled_.end(), tokens.begin(), tokens.end());
    };
  }
  const GenerationResult& Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    answered_.wait(lock, [this] { return num_answers_ > 0; });
    EXPECT_EQ(num_answers_, 1);
    return result_;
  }
  int num_answers() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return num_answers_;
  }
  std::vector<int32_t> settled() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return settled_;
  }

  const std::shared_ptr<GenerationRequest> request;
  const CancelFlag cancelled;

 private:
  std::mutex mutex_;
  std::condition_variable answered_;
  int num_answers_ = 0;
  std::vector<int32_t> settled_;
  GenerationResult result_;
};

}  // namespace attend
