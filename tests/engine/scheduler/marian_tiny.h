// The tiny Marian checkpoint of tests/golden, loaded once for a test program, and requests for it
// that can be waited for.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/models/model.h"
#include "engine/scheduler/engine_loop.h"
#include "gtest/gtest.h"

namespace attend {

struct MarianTiny {
  std::unique_ptr<Model> model;
  GenerationOptions defaults;                 // of its generation_config.json
  std::vector<std::vector<int32_t>> sources;  // the golden inputs
  Json generate;                              // generate.json

  static const MarianTiny& Get() {
    static const MarianTiny* tiny = Load();
    return *tiny;
  }

 private:
  static const MarianTiny* Load() {
    const std::string folder = std::string(ATTEND_SOURCE_DIR) + "/tests/golden/marian_tiny";
    auto tiny = std::make_unique<MarianTiny>();
    const ModelDirectory directory = ModelDirectory::Open(folder + "/model").value();
    LoadReport report;
    tiny->model = Model::Load(directory, {}, &report).value();
    tiny->defaults =
        ParseGenerationConfig(directory.ReadJson("generation_config.json").value(),
                              directory.config(), tiny->model->spec().target_vocab_size)
            .value();
    tiny->generate = Json::ReadFile(folder + "/generate.json").value();
    const std::vector<Json> inputs = tiny->generate.Get("inputs").value().Elements();
    for (const Json& input : inputs) {
      const std::vector<int64_t> ids = input.Get("input_ids").value().AsInts().value();
      tiny->sources.emplace_back(ids.begin(), ids.end());
    }
    return tiny.release();
  }
};

// A one-time event between threads.
class Event {
 public:
  void Notify() {
    std::lock_guard<std::mutex> lock(mutex_);
    happened_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return happened_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool happened_ = false;
};

// One request and its answer. Counts how often it was answered: it must be once.
class Ticket {
 public:
  explicit Ticket(std::vector<int32_t> source, GenerationOptions options)
      : request_(std::make_shared<GenerationRequest>()) {
    request_->source_ids = std::move(source);
    request_->options = std::move(options);
    request_->cancelled = std::make_shared<std::atomic<bool>>(false);
    request_->on_done = [this](GenerationResult result) {
      std::lock_guard<std::mutex> lock(mutex_);
      ++num_answers_;
      static std::atomic<int> next_place{0};
      place_ = next_place++;
      result_ = std::move(result);
      answered_.notify_all();
    };
  }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  GenerationRequest& request() { return *request_; }
  // `loop`: an EngineLoop or an EngineGroup.
  template <typename Loop>
  absl::Status Submit(Loop* loop) {
    return loop->Submit(request_);
  }
  template <typename Loop>
  void Cancel(Loop* loop) {
    request_->cancelled->store(true);
    loop->Wake();
  }
  const GenerationResult& Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    answered_.wait(lock, [this] { return num_answers_ > 0; });
    EXPECT_EQ(num_answers_, 1);
    return *result_;
  }
  // Where its answer stands in the order of all answers of this program. REQUIRES: answered.
  int place() {
    std::lock_guard<std::mutex> lock(mutex_);
    return place_;
  }
  int num_answers() {
    std::lock_guard<std::mutex> lock(mutex_);
    return num_answers_;
  }

 private:
  std::shared_ptr<GenerationRequest> request_;
  std::mutex mutex_;
  std::condition_variable answered_;
  int num_answers_ = 0;
  int place_ = -1;
  std::optional<GenerationResult> result_;
};

}  // namespace attend
