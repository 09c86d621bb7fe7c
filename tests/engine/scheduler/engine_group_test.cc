// Several loops with one tiny model: where requests go, and that the group is told about as one.
// As in engine_loop_test, a callback that waits holds a loop still.
#include "engine/scheduler/engine_group.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "engine/base/error.h"
#include "engine/scheduler/step_runner.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/marian_tiny.h"
#include "tests/engine/scheduler/tiny_requests.h"

namespace attend {
namespace {

SchedulerOptions Engines(int num_engines, int num_threads = 1) {
  SchedulerOptions options;
  options.num_engines = num_engines;
  options.num_threads = num_threads;
  return options;
}

// A sequence whose first tokens hold its loop until told to go on.
struct Holder {
  // Holds at the call of on_settled that `at` counts, from 1.
  explicit Holder(EngineGroup* group, const std::vector<int32_t>& source = Source(0), int at = 1)
      : ticket(source, Endless()) {
    ticket.request().on_settled = [this, at, calls = 0](absl::Span<const int32_t>) mutable {
      if (++calls != at) return;
      thread = std::this_thread::get_id();
      reached.Notify();
      go_on.Wait();
    };
    EXPECT_TRUE(ticket.Submit(group).ok());
    reached.Wait();
  }
  // The answer is for the ticket, so it must come while there is one.
  ~Holder() {
    go_on.Notify();
    ticket.Wait();
  }
  std::thread::id thread;
  Event reached, go_on;
  Ticket ticket;
};

class Recorder : public EngineObserver {
 public:
  void OnStep(const StepStats&) override { ++steps; }
  void OnLoad(const LoadStats& load) override {
    EXPECT_FALSE(inside.exchange(true)) << "one loop at a time";
    last = load;
    most_active = std::max(most_active, load.active_sequences);
    inside = false;
  }
  void OnQueueWait(absl::Duration) override { ++queue_waits; }
  void OnFirstToken(absl::Duration) override { ++first_tokens; }
  void OnCancelled(CancelCause, CancelStage, int64_t) override { ++cancels; }

  std::atomic<int> steps{0}, queue_waits{0}, first_tokens{0}, cancels{0};
  std::atomic<bool> inside{false};
  // Read once the group is gone.
  LoadStats last;
  int most_active = 0;
};

TEST(EngineGroupTest, RequestsGoWhereTheLeastWorkIs) {
  EngineGroup group(TheModel(), Engines(3), nullptr);
  ASSERT_EQ(group.num_engines(), 3);
  std::vector<std::unique_ptr<Holder>> holders;
  std::set<std::thread::id> threads;
  for (int i = 0; i < 3; ++i) {
    holders.push_back(std::make_unique<Holder>(&group));
    threads.insert(holders.back()->thread);
  }
  EXPECT_EQ(threads.size(), 3u) << "each on a loop of its own";
  // The second one's loop is let go and is then the only one without work.
  holders[1]->go_on.Notify();
  ASSERT_TRUE(holders[1]->ticket.Wait().status.ok());
  Ticket next(Source(1), Greedy());
  ASSERT_TRUE(next.Submit(&group).ok());
  EXPECT_TRUE(next.Wait().status.ok());
  for (const auto& holder : holders) holder->go_on.Notify();
  for (const auto& holder : holders) EXPECT_TRUE(holder->ticket.Wait().status.ok());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(group.engine(i)->outstanding_work(), 0);
}

// Beams are rows of every step, so a search with eight weighs more than two sentences without.
TEST(EngineGroupTest, WorkCountsTokensAndBeams) {
  EngineGroup group(TheModel(), Engines(2), nullptr);
  Holder first(&group), second(&group);
  const auto work = [&](int i) { return group.engine(i)->outstanding_work(); };
  const auto tokens = static_cast<int64_t>(Source(0).size());
  EXPECT_EQ(work(0), tokens);
  EXPECT_EQ(work(1), tokens);
  GenerationOptions beams = Greedy(8);
  beams.num_beams = 8;
  Ticket wide(Source(1), beams), narrow(Source(1), Greedy(8)), other(Source(1), Greedy(8));
  for (Ticket* ticket : {&wide, &narrow, &other}) ASSERT_TRUE(ticket->Submit(&group).ok());
  const auto more = static_cast<int64_t>(Source(1).size());
  EXPECT_EQ(work(0), tokens + 8 * more);
  EXPECT_EQ(work(1), tokens + 2 * more);
  first.go_on.Notify();
  second.go_on.Notify();
  for (Ticket* ticket : {&wide, &narrow, &other}) EXPECT_TRUE(ticket->Wait().status.ok());
}

TEST(EngineGroupTest, RefusesOnlyWhenAllQueuesAreFull) {
  SchedulerOptions options = Engines(2);
  const auto tokens = static_cast<int64_t>(Source(1).size());
  options.queue_capacity_tokens = 4 * tokens;  // two sentences a loop
  EngineGroup group(TheModel(), options, nullptr);
  EXPECT_EQ(group.queue_capacity_tokens(), 4 * tokens);
  Holder first(&group), second(&group);
  std::vector<std::unique_ptr<Ticket>> tickets;
  for (int i = 0; i < 4; ++i) {
    tickets.push_back(std::make_unique<Ticket>(Source(1), Greedy()));
    ASSERT_TRUE(tickets.back()->Submit(&group).ok()) << i;
  }
  Ticket refused(Source(1), Greedy());
  const absl::Status status = refused.Submit(&group);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "QUEUE_FULL");
  EXPECT_TRUE(detail->retry_after.has_value());
  first.go_on.Notify();
  second.go_on.Notify();
  for (const auto& ticket : tickets) EXPECT_TRUE(ticket->Wait().status.ok());
  EXPECT_EQ(refused.num_answers(), 0);
}

// The loop with less work may be the one whose queue is full: work counts what runs, too.
TEST(EngineGroupTest, AFullQueuePassesRequestsOn) {
  SchedulerOptions options = Engines(2);
  const auto tokens = static_cast<int64_t>(Source(1).size());
  options.queue_capacity_tokens = 2 * tokens;  // one sentence a loop
  EngineGroup group(TheModel(), options, nullptr);
  const std::vector<int32_t> long_source(60, Source(0)[0]);
  Holder heavy(&group, long_source), light(&group);
  Ticket one(Source(1), Greedy()), two(Source(1), Greedy()), three(Source(1), Greedy());
  ASSERT_TRUE(one.Submit(&group).ok());
  ASSERT_TRUE(two.Submit(&group).ok());
  EXPECT_EQ(group.engine(0)->outstanding_work(), 60 + tokens) << "had room";
  EXPECT_EQ(group.engine(1)->outstanding_work(), static_cast<int64_t>(Source(0).size()) + tokens)
      << "had less work";
  EXPECT_EQ(GetErrorDetail(three.Submit(&group))->reason, "QUEUE_FULL");
  light.go_on.Notify();
  heavy.go_on.Notify();
  for (Ticket* ticket : {&heavy.ticket, &light.ticket, &one, &two})
    EXPECT_TRUE(ticket->Wait().status.ok());
}

TEST(EngineGroupTest, TheCacheIsDivided) {
  SchedulerOptions options = Engines(1);
  options.kv_cache_bytes = StepRunner(TheModel(), 0, nullptr)
                               .WorstCaseBytes(4, 64, static_cast<int64_t>(Source(1).size()));
  const auto submit = [](const SchedulerOptions& with) {
    EngineGroup group(TheModel(), with, nullptr);
    GenerationOptions beams = Greedy(64);
    beams.num_beams = 4;
    Ticket ticket(Source(1), beams);
    const absl::Status status = ticket.Submit(&group);
    if (status.ok()) ticket.Wait();
    return status;
  };
  EXPECT_TRUE(submit(options).ok());
  options.num_engines = 4;
  const absl::Status status = submit(options);
  ASSERT_TRUE(GetErrorDetail(status).has_value()) << status;
  EXPECT_EQ(GetErrorDetail(status)->reason, "MEMORY_BUDGET");
}

TEST(EngineGroupTest, TheObserverIsToldTheSumOfAllLoops) {
  Recorder recorder;
  {
    EngineGroup group(TheModel(), Engines(2), &recorder);
    // In their second steps: each loop has told its load once by then.
    Holder first(&group, Source(0), 2), second(&group, Source(0), 2);
    Ticket cancelled(Source(1), Greedy());
    ASSERT_TRUE(cancelled.Submit(&group).ok());
    cancelled.Cancel(&group);
    first.go_on.Notify();
    second.go_on.Notify();
    EXPECT_TRUE(first.ticket.Wait().status.ok());
    EXPECT_TRUE(second.ticket.Wait().status.ok());
    EXPECT_TRUE(absl::IsCancelled(cancelled.Wait().status));
  }
  EXPECT_EQ(recorder.most_active, 2);
  EXPECT_EQ(recorder.first_tokens, 2);
  EXPECT_EQ(recorder.queue_waits, 2);
  EXPECT_EQ(recorder.cancels, 1);
  EXPECT_GT(recorder.steps, 100);
  EXPECT_EQ(recorder.last.active_sequences, 0);
  EXPECT_EQ(recorder.last.queue_tokens, 0);
  EXPECT_EQ(recorder.last.kv_cache_bytes, 0);
}

TEST(EngineGroupTest, WakeReachesEveryLoop) {
  EngineGroup group(TheModel(), Engines(2), nullptr);
  Ticket one(Source(0), Endless()), two(Source(0), Endless());
  ASSERT_TRUE(one.Submit(&group).ok());
  ASSERT_TRUE(two.Submit(&group).ok());
  one.Cancel(&group);
  two.Cancel(&group);
  // Whichever loop each is on, it ends, by itself at the latest.
  one.Wait();
  two.Wait();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(group.engine(i)->outstanding_work(), 0);
}

TEST(EngineGroupTest, DrainRefusesOnAllLoopsBeforeItWaitsForOne) {
  EngineGroup group(TheModel(), Engines(2), nullptr);
  Holder first(&group), second(&group);
  std::thread drain([&] { group.Drain(absl::InfiniteDuration()); });
  std::vector<std::unique_ptr<Ticket>> before;
  while (true) {
    auto ticket = std::make_unique<Ticket>(Source(1), Greedy());
    const absl::Status status = ticket->Submit(&group);
    if (!status.ok()) {
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      break;
    }
    before.push_back(std::move(ticket));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  first.go_on.Notify();
  second.go_on.Notify();
  drain.join();
  EXPECT_TRUE(first.ticket.Wait().status.ok());
  EXPECT_TRUE(second.ticket.Wait().status.ok());
  for (const auto& ticket : before) EXPECT_TRUE(ticket->Wait().status.ok());
}

TEST(EngineGroupTest, DrainCancelsOnAllLoopsWhenTimeIsOver) {
  EngineGroup group(TheModel(), Engines(2), nullptr);
  Holder first(&group), second(&group);
  std::thread drain([&] { group.Drain(absl::ZeroDuration()); });
  // Only the drain can cancel them, and it needs the loops to go round for it.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  first.go_on.Notify();
  second.go_on.Notify();
  drain.join();
  EXPECT_EQ(first.ticket.num_answers(), 1);
  EXPECT_EQ(second.ticket.num_answers(), 1);
  // A drain is over with the last answer; the loop that gave it falls asleep soon after.
  while (group.SinceLastTick() != absl::ZeroDuration())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// A callback on one loop's thread submits to a group that is going: it is refused, whichever loop
// it would have gone to.
TEST(EngineGroupTest, DestructorAnswersEverythingAndCallbacksMaySubmit) {
  std::atomic<int> refused{0};
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<Ticket>> tickets;
    {
      EngineGroup group(TheModel(), Engines(3), nullptr);
      for (size_t i = 0; i < 12; ++i) {
        tickets.push_back(std::make_unique<Ticket>(Source(i % 5), Endless()));
        GenerationRequest& request = tickets.back()->request();
        request.on_done = [&, answer = request.on_done](GenerationResult result) {
          auto again = std::make_shared<GenerationRequest>();
          again->source_ids = Source(0);
          again->options = Greedy(2);
          if (!group.Submit(again).ok()) ++refused;
          answer(std::move(result));
        };
        ASSERT_TRUE(tickets.back()->Submit(&group).ok());
      }
    }
    for (const auto& ticket : tickets) EXPECT_EQ(ticket->num_answers(), 1);
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace attend
