// A call whose requests end while memory is short ends, too.
#include <atomic>
#include <functional>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/tasks/request_group.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/marian_tiny.h"
#include "tests/refused_allocations.h"

namespace attend {
namespace {

// Runs two requests as a group and returns what it came to; on_result is called by the loop.
std::vector<GenerationResult> RunTwo(
    std::function<void(size_t index, const GenerationResult& result)> on_result,
    std::thread::id* finished_on) {
  const MarianTiny& tiny = MarianTiny::Get();
  EngineGroup loop(tiny.model.get(), SchedulerOptions(), nullptr);
  std::vector<GenerationResult> found;
  Event handed_over, finished;
  WorkQueue workers(1);
  CallEnvironment environment;
  environment.model.loop = &loop;
  environment.stop = std::make_shared<std::atomic<bool>>(false);
  environment.workers = &workers;
  RequestGroup group;
  for (int i = 0; i < 2; ++i) {
    auto request = std::make_shared<GenerationRequest>();
    request->source_ids = tiny.sources[0];
    request->options = tiny.defaults;
    // None ends before both are handed over: then it is the loop's thread that goes on.
    request->on_settled = [&](absl::Span<const int32_t>) { handed_over.Wait(); };
    group.requests.push_back(std::move(request));
  }
  group.on_result = std::move(on_result);
  group.on_finished = [&](absl::Status status, std::vector<GenerationResult> results) {
    countdown = -1;
    EXPECT_TRUE(status.ok()) << status;
    found = std::move(results);
    *finished_on = std::this_thread::get_id();
    finished.Notify();
  };
  RunGroup(environment, std::move(group));
  handed_over.Notify();
  finished.Wait();
  return found;
}

TEST(RequestGroupMemoryTest, AResultThatFindsNoMemoryFailsAlone) {
  std::thread::id finished_on;
  const std::vector<GenerationResult> results = RunTwo(
      [](size_t index, const GenerationResult&) {
        if (index == 0) throw std::bad_alloc();
      },
      &finished_on);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(GetErrorDetail(results[0].status).value().reason, "OUT_OF_MEMORY");
  EXPECT_TRUE(results[0].hypotheses.empty());
  EXPECT_TRUE(results[1].status.ok());
}

TEST(RequestGroupMemoryTest, AGroupEndsWithoutAWorkerIfNoneCanBeAsked) {
  std::thread::id loop_thread, finished_on;
  int num_results = 0;
  const std::vector<GenerationResult> results = RunTwo(
      [&](size_t, const GenerationResult&) {
        loop_thread = std::this_thread::get_id();
        if (++num_results == 2) countdown = 0;  // next the end is handed to a worker
      },
      &finished_on);
  ASSERT_EQ(results.size(), 2u);
  for (const GenerationResult& result : results) EXPECT_TRUE(result.status.ok());
  EXPECT_EQ(finished_on, loop_thread);
  EXPECT_GT(num_refused_in_all, 0);
}

}  // namespace
}  // namespace attend
