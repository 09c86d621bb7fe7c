// Memory that runs out in a step ends the sequences of that step and nothing else; where requests
// arrive, those that need it; and nowhere the loop. Every allocation that is made there is refused
// once, one after the other.
#include <map>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/scheduler/engine_loop.h"
#include "engine/scheduler/response_sharing.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/marian_tiny.h"
#include "tests/engine/scheduler/scripted_loop.h"
#include "tests/refused_allocations.h"

namespace attend {
namespace {

// Refuses an allocation between the forced pass of a step and the end of its decode pass.
class Saboteur : public EngineObserver {
 public:
  void OnStep(const StepStats& step) override {
    if (step.phase == StepPhase::kForced) countdown = allocation;
    if (step.phase == StepPhase::kDecode) countdown = -1;
    is_no_helper = true;
    if (step.phase == StepPhase::kEncode) helpers_countdown = allocation_of_helpers;
  }
  void OnLoad(const LoadStats& load) override { last = load; }
  void OnQueueWait(absl::Duration) override {}
  void OnFirstToken(absl::Duration) override {}
  void OnCancelled(CancelCause, CancelStage, int64_t) override {}

  int allocation = -1;  // set while the loop sleeps or is held
  int allocation_of_helpers = -1;
  LoadStats last;  // read once the loop is gone
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

// Refuses an allocation, or all from one on, between a look at the queue and the next step.
class ArrivalSaboteur : public EngineObserver {
 public:
  void OnLoad(const LoadStats& load) override {
    last = load;
    countdown = std::exchange(is_armed, false) ? allocation : -1;
    goes_on = refuses_all;
  }
  void OnQueueWait(absl::Duration) override { countdown = -1; }
  void OnStep(const StepStats&) override {}
  void OnFirstToken(absl::Duration) override {}
  void OnCancelled(CancelCause, CancelStage, int64_t) override {}

  // Set while the loop is held.
  bool is_armed = false, refuses_all = false;
  int allocation = 0;
  LoadStats last;  // read once the loop is gone
};

// Three requests arrive, of which one is too late, while a fourth that runs is cancelled. Returns
// how many ended for want of memory.
int RunArrivals(EngineLoop* loop, ArrivalSaboteur* saboteur, int allocation, bool refuses_all) {
  const MarianTiny& tiny = MarianTiny::Get();
  static const std::vector<int32_t> expected = [&] {
    EngineLoop alone(tiny.model.get(), SchedulerOptions(), nullptr);
    Ticket ticket(tiny.sources[1], Options(1, 20));
    EXPECT_TRUE(ticket.Submit(&alone).ok());
    return ticket.Wait().hypotheses.at(0).tokens;
  }();
  GenerationOptions endless = Options(1, 120);
  endless.min_length = 119;
  Ticket running(tiny.sources[0], endless), late(tiny.sources[1], Options(1, 20)),
      first(tiny.sources[1], Options(1, 20)), second(tiny.sources[1], Options(1, 20));
  late.request().deadline = absl::Now() - absl::Seconds(1);
  second.request().caller = 7;
  Event reached, go_on;
  running.request().on_settled = [&](absl::Span<const int32_t>) {
    reached.Notify();
    go_on.Wait();
  };
  EXPECT_TRUE(running.Submit(loop).ok());
  reached.Wait();
  for (Ticket* ticket : {&late, &first, &second}) EXPECT_TRUE(ticket->Submit(loop).ok());
  running.Cancel(loop);
  saboteur->allocation = allocation;
  saboteur->refuses_all = refuses_all;
  saboteur->is_armed = true;
  go_on.Notify();
  int num_failed = 0;
  const auto expect = [&](const GenerationResult& result, absl::StatusCode code) {
    if (result.status.code() == absl::StatusCode::kResourceExhausted) {
      ++num_failed;
      // Not even the reason may have found memory.
      if (!refuses_all) ExpectOutOfMemory(result);
      return;
    }
    EXPECT_EQ(result.status.code(), code) << result.status;
    if (code == absl::StatusCode::kOk) {
      EXPECT_EQ(result.hypotheses.at(0).tokens, expected);
    }
  };
  expect(running.Wait(), absl::StatusCode::kCancelled);
  expect(late.Wait(), absl::StatusCode::kDeadlineExceeded);
  expect(first.Wait(), absl::StatusCode::kOk);
  expect(second.Wait(), absl::StatusCode::kOk);
  for (Ticket* ticket : {&running, &late, &first, &second}) EXPECT_EQ(ticket->num_answers(), 1);
  return num_failed;
}

TEST(EngineLoopMemoryTest, AnArrivalWithoutMemoryEndsThatOneAndAPlanWithoutItEndsAll) {
  ArrivalSaboteur saboteur;
  for (const bool refuses_all : {false, true}) {
    EngineLoop loop(MarianTiny::Get().model.get(), SchedulerOptions(), &saboteur);
    std::map<int, int> times;  // by how many ended
    for (int allocation = 0; times[0] == 0; ++allocation) {
      ASSERT_LT(allocation, 1000);
      SCOPED_TRACE(testing::Message() << "allocation " << allocation << ", all " << refuses_all);
      const int before = num_refused_in_all;
      const int num_failed = RunArrivals(&loop, &saboteur, allocation, refuses_all);
      EXPECT_EQ(num_failed == 0, num_refused_in_all == before);
      EXPECT_TRUE(refuses_all || num_failed <= 1 || num_failed == 4) << num_failed;
      ++times[num_failed];
    }
    EXPECT_GT(times[refuses_all ? 2 : 1] + times[4], 5);
    EXPECT_GT(times[4], 0);
    loop.Drain(absl::InfiniteDuration());
    EXPECT_EQ(loop.outstanding_work(), 0);
  }
  EXPECT_EQ(saboteur.last.kv_cache_bytes, 0);
  EXPECT_EQ(saboteur.last.active_sequences, 0);
  EXPECT_EQ(saboteur.last.queue_sequences, 0);
  EXPECT_EQ(saboteur.last.queue_tokens, 0);
}

class ForgetfulObserver : public EngineObserver {
 public:
  void OnLoad(const LoadStats&) override { throw std::bad_alloc(); }
  void OnCancelled(CancelCause, CancelStage, int64_t) override { throw std::bad_alloc(); }
  void OnQueueWait(absl::Duration) override {}
  void OnStep(const StepStats&) override {}
  void OnFirstToken(absl::Duration) override {}
};

TEST(EngineLoopMemoryTest, CallbacksWithoutMemoryLeaveTheBooksRight) {
  const MarianTiny& tiny = MarianTiny::Get();
  ForgetfulObserver observer;
  EngineLoop loop(tiny.model.get(), SchedulerOptions(), &observer);
  GenerationOptions endless = Options(1, 120);
  endless.min_length = 119;
  Ticket done(tiny.sources[0], Options(1, 20)), cancelled(tiny.sources[1], endless),
      started(tiny.sources[2], Options(1, 20)), plain(tiny.sources[3], Options(1, 20));
  for (Ticket* ticket : {&done, &cancelled}) {
    auto on_done = std::move(ticket->request().on_done);
    ticket->request().on_done = [on_done](GenerationResult result) {
      on_done(std::move(result));
      throw std::bad_alloc();
    };
  }
  started.request().on_started = [] { throw std::bad_alloc(); };
  ASSERT_TRUE(done.Submit(&loop).ok());
  EXPECT_TRUE(done.Wait().status.ok());
  Event reached, go_on;
  cancelled.request().on_settled = [&](absl::Span<const int32_t>) {
    reached.Notify();
    go_on.Wait();
  };
  ASSERT_TRUE(cancelled.Submit(&loop).ok());
  reached.Wait();
  cancelled.Cancel(&loop);
  go_on.Notify();
  EXPECT_EQ(cancelled.Wait().status.code(), absl::StatusCode::kCancelled);
  ASSERT_TRUE(started.Submit(&loop).ok());
  ExpectOutOfMemory(started.Wait());
  ASSERT_TRUE(plain.Submit(&loop).ok());
  EXPECT_TRUE(plain.Wait().status.ok());
  loop.Drain(absl::InfiniteDuration());  // returns when each was counted as answered
  EXPECT_EQ(loop.outstanding_work(), 0);
}

TEST(EngineLoopMemoryTest, AnAnswerThatCannotBeKeptOrCopiedIsStillAnAnswer) {
  const std::vector<int32_t> tokens = {5, 6, 7};
  for (const bool merges : {false, true}) {
    int allocation = 0;
    for (bool all_done = false; !all_done; ++allocation) {
      ASSERT_LT(allocation, 100);
      SCOPED_TRACE(testing::Message() << "allocation " << allocation << ", merging " << merges);
      ResponseSharingOptions options;
      options.cache_bytes = int64_t{1} << 20;
      options.merge_duplicates = merges;
      ScriptedLoop loop;
      ResponseSharing sharing(options, loop.Door(), nullptr);
      Asker first, second, later;
      for (Asker* asker : {&first, &second}) ASSERT_TRUE(sharing.Submit(asker->request).ok());
      ASSERT_EQ(loop.running.size(), merges ? 1u : 2u);
      const int before = num_refused_in_all;
      GenerationResult result = ResultOf(tokens);
      countdown = allocation;
      loop.Finish(0, std::move(result));
      countdown = -1;
      all_done = num_refused_in_all == before;
      if (!merges) loop.Finish(1, ResultOf(tokens));
      ASSERT_TRUE(sharing.Submit(later.request).ok());
      if (later.num_answers() == 0) loop.Finish(loop.running.size() - 1, ResultOf(tokens));
      for (Asker* asker : {&first, &second, &later}) {
        ASSERT_EQ(asker->num_answers(), 1);
        const GenerationResult& answer = asker->Wait();
        if (answer.status.ok()) {
          EXPECT_EQ(answer.hypotheses.at(0).tokens, tokens);
        } else {
          EXPECT_TRUE(merges && asker == &first);  // the only one whose answer is a copy
          ExpectOutOfMemory(answer);
        }
      }
    }
    EXPECT_GT(allocation, 4);
  }
}

TEST(EngineLoopMemoryTest, ARequestThatFindsNoMemoryInTheQueueIsRefused) {
  const MarianTiny& tiny = MarianTiny::Get();
  EngineLoop loop(tiny.model.get(), SchedulerOptions(), nullptr);
  absl::Status status;
  int allocation = 0;
  do {
    Ticket ticket(tiny.sources[0], Options(1, 20));
    countdown = allocation;
    status = ticket.Submit(&loop);
    countdown = -1;
    if (status.ok()) {
      EXPECT_TRUE(ticket.Wait().status.ok());
    } else {
      EXPECT_EQ(GetErrorDetail(status).value().reason, "OUT_OF_MEMORY");
    }
  } while (!status.ok() && ++allocation < 100);
  EXPECT_TRUE(status.ok());
  EXPECT_GT(allocation, 0);
  loop.Drain(absl::InfiniteDuration());
  EXPECT_EQ(loop.outstanding_work(), 0);
}

TEST(EngineLoopMemoryTest, AHelperWithoutMemoryEndsTheStepAndNothingElse) {
  const MarianTiny& tiny = MarianTiny::Get();
  constexpr int kSearches = 80;  // of four rows from the second step on, which are shared out
  is_no_helper = true;
  Saboteur saboteur;
  SchedulerOptions options;
  options.max_batch_rows = 1000;
  options.max_encode_tokens = 1000000;
  options.num_threads = 3;
  EngineLoop loop(tiny.model.get(), options, &saboteur);
  // In the last round nothing is refused: what was before must not have done any harm.
  for (const int allocation : {0, 1, 2, 10, 100, -1}) {
    SCOPED_TRACE(testing::Message() << "allocation " << allocation);
    GenerationOptions endless = Options(1, 120);
    endless.min_length = 119;
    Ticket running(tiny.sources[0], endless);
    Event reached, go_on;
    running.request().on_settled = [&](absl::Span<const int32_t>) {
      reached.Notify();
      go_on.Wait();
    };
    ASSERT_TRUE(running.Submit(&loop).ok());
    reached.Wait();
    std::vector<std::unique_ptr<Ticket>> joining;
    for (int i = 0; i < kSearches; ++i) {
      GenerationOptions beams = Options(4, 20);
      beams.min_length = 19;
      joining.push_back(std::make_unique<Ticket>(tiny.sources[2], beams));
      joining.back()->request().caller = static_cast<uint64_t>(i) + 1;  // no turns to wait for
      ASSERT_TRUE(joining.back()->Submit(&loop).ok());
    }
    saboteur.allocation_of_helpers = allocation;
    go_on.Notify();
    for (const auto& ticket : joining) {
      const GenerationResult& result = ticket->Wait();
      if (allocation >= 0) {
        ExpectOutOfMemory(result);
      } else {
        ASSERT_TRUE(result.status.ok()) << result.status;
        EXPECT_EQ(result.hypotheses[0].tokens, joining[0]->Wait().hypotheses[0].tokens);
      }
    }
    if (allocation >= 0) {
      ExpectOutOfMemory(running.Wait());
    } else {
      running.Cancel(&loop);
      running.Wait();
    }
    saboteur.allocation_of_helpers = -1;
  }
  loop.Drain(absl::InfiniteDuration());
}

}  // namespace
}  // namespace attend
