// Memory that runs out in a step ends the sequences of that step and nothing else. Every allocation
// that a step makes is refused once, one after the other, by this program's own operator new.
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <vector>

#include "engine/base/error.h"
#include "engine/scheduler/engine_loop.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/marian_tiny.h"

namespace {

// Allocations of this thread until one is refused; below zero: none is.
thread_local int countdown = -1;

bool Refused() { return countdown >= 0 && countdown-- == 0; }

void* AllocateOrThrow(std::size_t bytes) {
  void* memory = Refused() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return AllocateOrThrow(bytes); }
void* operator new[](std::size_t bytes) { return AllocateOrThrow(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

// Matrices and pages of the cache. The sanitizers have their own, which is not to be replaced.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  void* memory = nullptr;
  return Refused() || posix_memalign(&memory, alignment, bytes) != 0 ? nullptr : memory;
}
#endif

namespace attend {
namespace {

// Refuses an allocation between the forced pass of a step and the end of its decode pass.
class Saboteur : public EngineObserver {
 public:
  void OnStep(const StepStats& step) override {
    if (step.phase == StepPhase::kForced) countdown = allocation;
    if (step.phase == StepPhase::kDecode) countdown = -1;
  }
  void OnLoad(const LoadStats& load) override { last = load; }
  void OnQueueWait(absl::Duration) override {}
  void OnFirstToken(absl::Duration) override {}
  void OnCancelled(CancelCause, CancelStage, int64_t) override {}

  int allocation = -1;  // set while the loop sleeps or is held
  LoadStats last;       // read once the loop is gone
};

GenerationOptions Options(int num_beams, int max_length) {
  GenerationOptions options = MarianTiny::Get().defaults;
  options.num_beams = num_beams;
  options.min_length = 0;
  options.max_length = max_length;
  return options;
}

void ExpectOutOfMemory(const GenerationResult& result) {
  EXPECT_EQ(result.status.code(), absl::StatusCode::kResourceExhausted) << result.status;
  const auto detail = GetErrorDetail(result.status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "OUT_OF_MEMORY");
  EXPECT_TRUE(result.hypotheses.empty());
}

TEST(EngineLoopMemoryTest, AStepWithoutMemoryEndsItsSequencesAndNothingElse) {
  const MarianTiny& tiny = MarianTiny::Get();
  Saboteur saboteur;
  int num_refused = 0;
  for (const int num_threads : {1, 2}) {
    SchedulerOptions options;
    options.max_batch_rows = 6;
    options.num_threads = num_threads;
    EngineLoop loop(tiny.model.get(), options, &saboteur);
    std::vector<int32_t> expected;
    bool all_done = false;
    for (int allocation = 0; !all_done; ++allocation) {
      ASSERT_LT(allocation, 10000);
      SCOPED_TRACE(testing::Message() << num_threads << " threads, allocation " << allocation);
      // One that runs already and holds the loop, two that join it in the step that fails, and one
      // that finds no room in it.
      GenerationOptions endless = Options(1, 120);
      endless.min_length = 119;
      Ticket running(tiny.sources[0], endless), forced(tiny.sources[1], Options(1, 20)),
          joining(tiny.sources[2], Options(4, 20)), waiting(tiny.sources[3], Options(4, 20));
      Event reached, go_on;
      running.request().on_settled = [&](absl::Span<const int32_t>) {
        reached.Notify();
        go_on.Wait();
      };
      forced.request().forced = true;
      forced.request().forced_target = {5, 6, 7};
      ASSERT_TRUE(running.Submit(&loop).ok());
      reached.Wait();
      for (Ticket* ticket : {&forced, &joining, &waiting}) ASSERT_TRUE(ticket->Submit(&loop).ok());
      saboteur.allocation = allocation;
      go_on.Notify();
      all_done = forced.Wait().status.ok();
      if (all_done) {  // no allocation was left to refuse
        EXPECT_GT(allocation, 20);
        running.Cancel(&loop);
        running.Wait();
        EXPECT_TRUE(joining.Wait().status.ok());
      } else {
        ++num_refused;
        ExpectOutOfMemory(running.Wait());
        ExpectOutOfMemory(forced.Wait());
        ExpectOutOfMemory(joining.Wait());
      }
      const GenerationResult& result = waiting.Wait();
      ASSERT_TRUE(result.status.ok()) << result.status;
      if (expected.empty()) expected = result.hypotheses[0].tokens;
      EXPECT_EQ(result.hypotheses[0].tokens, expected);
    }
    loop.Drain(absl::InfiniteDuration());
  }
  EXPECT_GT(num_refused, 20);
  EXPECT_EQ(saboteur.last.kv_cache_bytes, 0);
  EXPECT_EQ(saboteur.last.active_sequences, 0);
  EXPECT_EQ(saboteur.last.queue_tokens, 0);
}

}  // namespace
}  // namespace attend
