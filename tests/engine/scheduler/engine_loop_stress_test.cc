// Eight threads, two hundred requests, cancels and deadlines at random: everything is answered
// exactly once, and all memory comes back. Meant for ThreadSanitizer and AddressSanitizer as much
// as for its own checks.
#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "engine/scheduler/engine_loop.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/marian_tiny.h"

namespace attend {
namespace {

class Totals : public EngineObserver {
 public:
  void OnStep(const StepStats& step) override {
    if (step.phase == StepPhase::kDecode) largest_step = std::max(largest_step, step.tokens);
  }
  void OnLoad(const LoadStats& load) override { last = load; }
  void OnQueueWait(absl::Duration) override {}
  void OnFirstToken(absl::Duration) override { ++started; }
  void OnCancelled(CancelCause, CancelStage, int64_t) override { ++cancelled; }
  int64_t largest_step = 0;
  int started = 0, cancelled = 0;
  LoadStats last;
};

TEST(EngineLoopStressTest, EverythingIsAnsweredOnceAndMemoryComesBack) {
  constexpr size_t kThreads = 8, kPerThread = 25;
  const MarianTiny& tiny = MarianTiny::Get();
  Totals totals;
  std::atomic<int> num_ok{0}, num_dropped{0}, num_refused{0};
  SchedulerOptions options;
  options.max_batch_rows = 24;
  options.max_encode_tokens = 64;
  options.queue_capacity_tokens = 600;
  options.kv_cache_bytes = 1 << 20;
  {
    EngineLoop loop(tiny.model.get(), options, &totals);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937 random(static_cast<unsigned>(t));
        const auto pick = [&](int lowest, int highest) {
          return std::uniform_int_distribution<int>(lowest, highest)(random);
        };
        std::vector<std::unique_ptr<Ticket>> tickets;
        for (size_t i = 0; i < kPerThread; ++i) {
          GenerationOptions generation = tiny.defaults;
          generation.num_beams = pick(1, 4);
          generation.max_length = pick(2, 40);
          if (generation.num_beams == 1 && pick(0, 1) == 1) {
            generation.sampling = SamplingOptions();
            generation.num_return_sequences = pick(1, 3);
          }
          auto ticket =
              std::make_unique<Ticket>(tiny.sources[static_cast<size_t>(pick(0, 4))], generation);
          ticket->request().caller = t;
          if (pick(0, 4) == 0)
            ticket->request().deadline = absl::Now() + absl::Milliseconds(pick(0, 20));
          if (pick(0, 3) == 0) ticket->request().on_settled = [](absl::Span<const int32_t>) {};
          if (pick(0, 9) == 0) {
            ticket->request().forced = true;
            ticket->request().forced_target = {5, 6, 7};
          }
          if (!ticket->Submit(&loop).ok()) {
            ++num_refused;
            EXPECT_EQ(ticket->num_answers(), 0);
            continue;
          }
          if (pick(0, 3) == 0) ticket->Cancel(&loop);
          tickets.push_back(std::move(ticket));
          if (pick(0, 5) == 0)
            tickets[static_cast<size_t>(pick(0, static_cast<int>(tickets.size()) - 1))]->Cancel(
                &loop);
        }
        for (const auto& ticket : tickets) (ticket->Wait().status.ok() ? num_ok : num_dropped)++;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(num_ok + num_dropped + num_refused, static_cast<int>(kThreads * kPerThread));
  EXPECT_GT(num_ok.load(), 0);
  EXPECT_EQ(totals.cancelled, num_dropped.load());
  EXPECT_LE(totals.largest_step, options.max_batch_rows);
  EXPECT_EQ(totals.last.kv_cache_bytes, 0);
  EXPECT_EQ(totals.last.queue_tokens, 0);
  EXPECT_EQ(totals.last.active_sequences, 0);
}

TEST(EngineLoopStressTest, ShutDownInTheMiddle) {
  const MarianTiny& tiny = MarianTiny::Get();
  for (int round = 0; round < 5; ++round) {
    std::vector<std::unique_ptr<Ticket>> tickets;
    for (size_t i = 0; i < 40; ++i)
      tickets.push_back(std::make_unique<Ticket>(tiny.sources[i % 5], tiny.defaults));
    std::vector<char> accepted(tickets.size(), 0);
    {
      EngineLoop loop(tiny.model.get(), SchedulerOptions(), nullptr);
      std::thread submitter([&] {
        for (size_t i = 0; i < tickets.size(); ++i)
          accepted[i] = tickets[i]->Submit(&loop).ok() ? 1 : 0;
      });
      std::thread drainer([&] { loop.Drain(absl::Milliseconds(round)); });
      submitter.join();
      drainer.join();
    }
    for (size_t i = 0; i < tickets.size(); ++i) EXPECT_EQ(tickets[i]->num_answers(), accepted[i]);
  }
}

}  // namespace
}  // namespace attend
