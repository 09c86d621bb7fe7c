// The loop with a real, tiny model: how requests end, and what is told about them. Callbacks run on
// the loop's thread, so a callback that waits holds the loop still: that makes every situation here
// certain instead of likely.
#include "engine/scheduler/engine_loop.h"

#include <cmath>
#include <map>
#include <thread>
#include <tuple>
#include <vector>

#include "engine/base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/marian_tiny.h"
#include "tests/engine/scheduler/tiny_requests.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Recorder : public EngineObserver {
 public:
  void OnStep(const StepStats& step) override { steps.push_back(step); }
  void OnLoad(const LoadStats& load) override { loads.push_back(load); }
  void OnQueueWait(absl::Duration wait) override { queue_waits.push_back(wait); }
  void OnFirstToken(absl::Duration since_submit) override { first_tokens.push_back(since_submit); }
  void OnCancelled(CancelCause cause, CancelStage stage, int64_t wasted) override {
    cancels.emplace_back(cause, stage, wasted);
  }

  // Written by the loop's thread; read once the loop is gone.
  std::vector<StepStats> steps;
  std::vector<LoadStats> loads;
  std::vector<absl::Duration> queue_waits, first_tokens;
  std::vector<std::tuple<CancelCause, CancelStage, int64_t>> cancels;
};

// A sequence whose first tokens hold the loop until told to go on.
struct Holder {
  explicit Holder(EngineLoop* loop) : ticket(Source(0), Endless()) {
    ticket.request().caller = 999;
    ticket.request().on_settled = [this](absl::Span<const int32_t>) {
      reached.Notify();
      go_on.Wait();
    };
    EXPECT_TRUE(ticket.Submit(loop).ok());
    reached.Wait();
  }
  Event reached, go_on;
  Ticket ticket;
};

TEST(EngineLoopTest, AnswersWithStats) {
  Recorder recorder;
  {
    EngineLoop loop(TheModel(), SchedulerOptions(), &recorder);
    Ticket ticket(Source(1), Greedy());
    ASSERT_TRUE(ticket.Submit(&loop).ok());
    const GenerationResult& result = ticket.Wait();
    ASSERT_TRUE(result.status.ok()) << result.status;
    ASSERT_EQ(result.hypotheses.size(), 1u);
    const SequenceStats& stats = result.stats;
    const int tokens = static_cast<int>(result.hypotheses[0].tokens.size());
    EXPECT_EQ(stats.input_tokens, static_cast<int>(Source(1).size()));
    EXPECT_EQ(stats.output_tokens, tokens);
    EXPECT_EQ(stats.computed_tokens, tokens);
    EXPECT_EQ(stats.peak_batch_sequences, 1);
    EXPECT_GT(stats.encode, absl::ZeroDuration());
    EXPECT_GT(stats.decode, absl::ZeroDuration());
    EXPECT_GE(stats.queue, absl::ZeroDuration());
    EXPECT_GE(stats.time_to_first_token, stats.encode);
  }
  ASSERT_FALSE(recorder.steps.empty());
  EXPECT_EQ(recorder.steps[0].phase, StepPhase::kEncode);
  EXPECT_EQ(recorder.steps[0].sequences, 1);
  EXPECT_EQ(recorder.steps[0].tokens, static_cast<int64_t>(Source(1).size()));
  EXPECT_EQ(recorder.steps[1].phase, StepPhase::kDecode);
  EXPECT_EQ(recorder.queue_waits.size(), 1u);
  EXPECT_EQ(recorder.first_tokens.size(), 1u);
  EXPECT_THAT(recorder.cancels, IsEmpty());
  EXPECT_GT(recorder.loads[0].kv_cache_bytes, 0);
  EXPECT_EQ(recorder.loads.back().kv_cache_bytes, 0);
  EXPECT_EQ(recorder.loads.back().active_sequences, 0);
  EXPECT_EQ(recorder.loads.back().queue_tokens, 0);
}

TEST(EngineLoopTest, RefusesWhatTheModelCannotTake) {
  EngineLoop loop(TheModel(), SchedulerOptions(), nullptr);
  const auto reason = [&](std::vector<int32_t> source, GenerationOptions options) {
    Ticket ticket(std::move(source), std::move(options));
    const absl::Status status = ticket.Submit(&loop);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ticket.num_answers(), 0);
    return GetErrorDetail(status).value_or(ErrorDetail()).reason;
  };
  EXPECT_EQ(reason({}, Greedy()), "EMPTY_INPUT");
  EXPECT_EQ(reason(std::vector<int32_t>(129, 5), Greedy()), "INPUT_TOO_LONG");
  EXPECT_EQ(reason({5, 320}, Greedy()), "OPTION_OUT_OF_RANGE");
  EXPECT_EQ(reason({-1}, Greedy()), "OPTION_OUT_OF_RANGE");
  EXPECT_EQ(reason({5}, Greedy(130)), "OPTION_OUT_OF_RANGE");
  GenerationOptions prefixed = Greedy();
  prefixed.prefix_tokens = {320};
  EXPECT_EQ(reason({5}, prefixed), "OPTION_OUT_OF_RANGE");
  Ticket longest(std::vector<int32_t>(128, 5), Greedy(129));
  ASSERT_TRUE(longest.Submit(&loop).ok());
  EXPECT_TRUE(longest.Wait().status.ok());
}

TEST(EngineLoopTest, RefusesAtOnceWhatCanNeverFit) {
  SchedulerOptions options;
  options.kv_cache_bytes = 64 << 10;
  EngineLoop loop(TheModel(), options, nullptr);
  GenerationOptions beams = Greedy(120);
  beams.num_beams = 8;
  Ticket ticket(Source(0), beams);
  const absl::Status status = ticket.Submit(&loop);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorDetail(status)->reason, "MEMORY_BUDGET");
  Ticket small(Source(0), Greedy(10));
  ASSERT_TRUE(small.Submit(&loop).ok());
  EXPECT_TRUE(small.Wait().status.ok());
}

TEST(EngineLoopTest, FullQueueRefusesWithARetryTime) {
  SchedulerOptions options;
  options.queue_capacity_tokens = 20;
  EngineLoop loop(TheModel(), options, nullptr);
  EXPECT_EQ(loop.queue_capacity_tokens(), 20);
  Holder holder(&loop);
  Ticket first(Source(1), Greedy()), second(Source(1), Greedy());  // 12 tokens each
  ASSERT_TRUE(first.Submit(&loop).ok());
  const absl::Status full = second.Submit(&loop);
  EXPECT_EQ(GetErrorDetail(full)->reason, "QUEUE_FULL");
  EXPECT_TRUE(GetErrorDetail(full)->retry_after.has_value());
  holder.go_on.Notify();
  EXPECT_TRUE(first.Wait().status.ok());
  EXPECT_TRUE(second.Submit(&loop).ok());
  EXPECT_TRUE(second.Wait().status.ok());
  EXPECT_TRUE(holder.ticket.Wait().status.ok());
}

TEST(EngineLoopTest, WaitingOnesJoinBetweenTwoStepsAndLeaveWhenTheyEnd) {
  EngineLoop loop(TheModel(), SchedulerOptions(), nullptr);
  Holder holder(&loop);
  Ticket joining(Source(3), Greedy());
  ASSERT_TRUE(joining.Submit(&loop).ok());
  holder.go_on.Notify();
  const GenerationResult& joined = joining.Wait();
  ASSERT_TRUE(joined.status.ok());
  EXPECT_EQ(joined.stats.peak_batch_sequences, 2);
  EXPECT_EQ(holder.ticket.Wait().hypotheses[0].tokens.size(), 119u);
  EXPECT_LT(joining.place(), holder.ticket.place());  // left while the longer one ran on
}

TEST(EngineLoopTest, CancelledWhileRunning) {
  Recorder recorder;
  {
    EngineLoop loop(TheModel(), SchedulerOptions(), &recorder);
    Holder holder(&loop);
    holder.ticket.Cancel(&loop);
    holder.go_on.Notify();
    const GenerationResult& result = holder.ticket.Wait();
    EXPECT_TRUE(absl::IsCancelled(result.status));
    EXPECT_THAT(result.hypotheses, IsEmpty());
    EXPECT_EQ(result.stats.computed_tokens, 1);  // dropped before the next step
  }
  EXPECT_THAT(recorder.cancels,
              ElementsAre(std::tuple(CancelCause::kClient, CancelStage::kDecode,
                                     static_cast<int64_t>(Source(0).size()) + 1)));
  EXPECT_EQ(recorder.loads.back().kv_cache_bytes, 0);
}

TEST(EngineLoopTest, CancelledWhileWaitingIsNeverEncoded) {
  Recorder recorder;
  {
    EngineLoop loop(TheModel(), SchedulerOptions(), &recorder);
    Holder holder(&loop);
    Ticket waiting(Source(1), Greedy());
    ASSERT_TRUE(waiting.Submit(&loop).ok());
    waiting.Cancel(&loop);
    holder.go_on.Notify();
    EXPECT_TRUE(absl::IsCancelled(waiting.Wait().status));
    EXPECT_EQ(waiting.Wait().stats.computed_tokens, 0);
    holder.ticket.Wait();
  }
  EXPECT_THAT(recorder.cancels,
              ElementsAre(std::tuple(CancelCause::kClient, CancelStage::kQueued, int64_t{0})));
  EXPECT_EQ(recorder.queue_waits.size(), 1u);
}

TEST(EngineLoopTest, DeadlineOfARunningOneTellsWhatWasDone) {
  EngineLoop loop(TheModel(), SchedulerOptions(), nullptr);
  Ticket ticket(Source(0), Endless());
  const absl::Time deadline = absl::Now() + absl::Milliseconds(50);
  ticket.request().deadline = deadline;
  size_t seen = 0;
  ticket.request().on_settled = [&](absl::Span<const int32_t> tokens) {
    seen += tokens.size();
    if (seen == 5)
      std::this_thread::sleep_for(
          absl::ToChronoNanoseconds(deadline - absl::Now() + absl::Milliseconds(1)));
  };
  ASSERT_TRUE(ticket.Submit(&loop).ok());
  const absl::Status status = ticket.Wait().status;
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  ASSERT_TRUE(GetErrorDetail(status).has_value());
  EXPECT_EQ(GetErrorDetail(status)->reason, "DEADLINE_EXCEEDED");
  EXPECT_THAT(GetErrorDetail(status)->metadata, ElementsAre(std::pair<std::string, std::string>(
                                                    "tokens_done", std::to_string(seen))));
}

TEST(EngineLoopTest, DeadlineOfAWaitingOneDropsItUnencoded) {
  Recorder recorder;
  {
    SchedulerOptions options;
    options.max_batch_rows = 1;  // it cannot be admitted beside the holder
    EngineLoop loop(TheModel(), options, &recorder);
    Holder holder(&loop);
    Ticket waiting(Source(1), Greedy()), past(Source(1), Greedy());
    waiting.request().deadline = absl::Now() + absl::Milliseconds(5);
    past.request().deadline = absl::InfinitePast();
    ASSERT_TRUE(waiting.Submit(&loop).ok());
    ASSERT_TRUE(past.Submit(&loop).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    holder.go_on.Notify();
    EXPECT_TRUE(absl::IsDeadlineExceeded(waiting.Wait().status));
    EXPECT_TRUE(absl::IsDeadlineExceeded(past.Wait().status));
    holder.ticket.Wait();
    EXPECT_LT(waiting.place(), holder.ticket.place());
    EXPECT_LT(past.place(), holder.ticket.place());
  }
  EXPECT_THAT(recorder.cancels,
              ElementsAre(std::tuple(CancelCause::kDeadline, CancelStage::kQueued, int64_t{0}),
                          std::tuple(CancelCause::kDeadline, CancelStage::kQueued, int64_t{0})));
}

TEST(EngineLoopTest, ALongCallDoesNotKeepAShortOneWaiting) {
  SchedulerOptions options;
  options.max_batch_rows = 2;
  EngineLoop loop(TheModel(), options, nullptr);
  Holder holder(&loop);
  std::vector<std::unique_ptr<Ticket>> crowd;
  for (int i = 0; i < 30; ++i) {
    crowd.push_back(std::make_unique<Ticket>(Source(1), Greedy(16)));
    crowd.back()->request().caller = 1;
    ASSERT_TRUE(crowd.back()->Submit(&loop).ok());
  }
  Ticket small(Source(0), Greedy(16));
  small.request().caller = 2;
  ASSERT_TRUE(small.Submit(&loop).ok());
  holder.go_on.Notify();
  ASSERT_TRUE(small.Wait().status.ok());
  // Of the thirty that came before it one was admitted before it; the order of answers, not the
  // time at which somebody looks, says how many overtook it.
  int before = 0;
  for (const auto& ticket : crowd) {
    EXPECT_TRUE(ticket->Wait().status.ok());
    if (ticket->place() < small.place()) ++before;
  }
  EXPECT_LE(before, 2);
  EXPECT_TRUE(holder.ticket.Wait().status.ok());
}

TEST(EngineLoopTest, ACallbackMaySubmit) {
  EngineLoop loop(TheModel(), SchedulerOptions(), nullptr);
  Ticket second(Source(1), Greedy());
  auto first = std::make_shared<GenerationRequest>();
  first->source_ids = Source(0);
  first->options = Greedy();
  first->on_done = [&](GenerationResult result) {
    EXPECT_TRUE(result.status.ok());
    EXPECT_TRUE(second.Submit(&loop).ok());
  };
  ASSERT_TRUE(loop.Submit(first).ok());
  EXPECT_TRUE(second.Wait().status.ok());
}

TEST(EngineLoopTest, DestructorAnswersEverything) {
  std::vector<std::unique_ptr<Ticket>> tickets;
  {
    SchedulerOptions options;
    options.max_batch_rows = 4;
    EngineLoop loop(TheModel(), options, nullptr);
    for (int i = 0; i < 20; ++i) {
      tickets.push_back(std::make_unique<Ticket>(Source(static_cast<size_t>(i % 5)), Endless()));
      ASSERT_TRUE(tickets.back()->Submit(&loop).ok());
    }
  }
  int shut_down = 0;
  for (const auto& ticket : tickets) {
    ASSERT_EQ(ticket->num_answers(), 1);
    const absl::Status status = ticket->Wait().status;
    if (status.ok()) continue;
    ++shut_down;
    EXPECT_TRUE(absl::IsUnavailable(status));
    EXPECT_EQ(GetErrorDetail(status)->reason, "SHUTTING_DOWN");
  }
  EXPECT_GT(shut_down, 0);
}

TEST(EngineLoopTest, DrainLetsAcceptedOnesEnd) {
  EngineLoop loop(TheModel(), SchedulerOptions(), nullptr);
  std::vector<std::unique_ptr<Ticket>> tickets;
  for (size_t i = 0; i < 10; ++i) {
    tickets.push_back(std::make_unique<Ticket>(Source(i % 5), Greedy()));
    ASSERT_TRUE(tickets.back()->Submit(&loop).ok());
  }
  loop.Drain(absl::InfiniteDuration());
  for (const auto& ticket : tickets) {
    EXPECT_EQ(ticket->num_answers(), 1);
    EXPECT_TRUE(ticket->Wait().status.ok());
  }
  Ticket late(Source(0), Greedy());
  EXPECT_EQ(GetErrorDetail(late.Submit(&loop))->reason, "SHUTTING_DOWN");
  loop.Drain(absl::ZeroDuration());  // again is harmless
}

TEST(EngineLoopTest, DrainCancelsWhenTimeIsOver) {
  Recorder recorder;
  {
    EngineLoop loop(TheModel(), SchedulerOptions(), &recorder);
    Holder holder(&loop);
    Ticket waiting(Source(1), Greedy());
    ASSERT_TRUE(waiting.Submit(&loop).ok());
    std::thread release([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      holder.go_on.Notify();
    });
    loop.Drain(absl::Milliseconds(5));
    EXPECT_EQ(holder.ticket.num_answers(), 1);
    EXPECT_EQ(waiting.num_answers(), 1);
    EXPECT_TRUE(absl::IsUnavailable(holder.ticket.Wait().status));
    EXPECT_TRUE(absl::IsUnavailable(waiting.Wait().status));
    release.join();
  }
  EXPECT_EQ(recorder.cancels.size(), 2u);
  for (const auto& cancel : recorder.cancels)
    EXPECT_EQ(std::get<0>(cancel), CancelCause::kShutdown);
}

TEST(EngineLoopTest, LivenessShowsAStuckLoopAndNotAnIdleOne) {
  EngineLoop loop(TheModel(), SchedulerOptions(), nullptr);
  Ticket ticket(Source(0), Greedy());
  ASSERT_TRUE(ticket.Submit(&loop).ok());
  ticket.Wait();
  // It falls asleep soon after the last answer; this ends when it does.
  while (loop.SinceLastTick() != absl::ZeroDuration())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  Holder holder(&loop);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_GE(loop.SinceLastTick(), absl::Milliseconds(25));
  holder.go_on.Notify();
  holder.ticket.Wait();
}

// Copies of what a forced pass shows.
class Watcher : public AttentionObserver {
 public:
  bool Wants(AttentionKind, int) const override { return true; }
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override {
    std::vector<float>& copy = heads[{site.kind, site.layer, site.head}];
    for (int64_t r = 0; r < weights.rows; ++r)
      copy.insert(copy.end(), weights.row(r), weights.row(r) + weights.cols);
    if (site.kind == AttentionKind::kCross) {
      EXPECT_EQ(weights.rows, num_rows);
    }
  }
  int64_t num_rows = 0;
  std::map<std::tuple<AttentionKind, int, int>, std::vector<float>> heads;
};

TEST(EngineLoopTest, ForcedPassesShowTheSameWeightsAloneAndInCompany) {
  Recorder recorder;
  Watcher alone, beside;
  const std::vector<int32_t> target = {202, 148, 9, 2, 0};
  alone.num_rows = beside.num_rows = static_cast<int64_t>(target.size());
  {
    EngineLoop loop(TheModel(), SchedulerOptions(), &recorder);
    const auto forced = [&](size_t source, Watcher* watcher) {
      auto ticket = std::make_unique<Ticket>(Source(source), Greedy());
      ticket->request().forced = true;
      ticket->request().forced_target = target;
      ticket->request().observer = watcher;
      return ticket;
    };
    auto first = forced(2, &alone);
    ASSERT_TRUE(first->Submit(&loop).ok());
    const GenerationResult& result = first->Wait();
    EXPECT_TRUE(result.status.ok());
    EXPECT_THAT(result.hypotheses, IsEmpty());
    EXPECT_EQ(result.stats.output_tokens, 5);

    Holder holder(&loop);
    auto second = forced(2, &beside), third = forced(4, nullptr), encoder_only = forced(1, nullptr);
    encoder_only->request().forced_target.clear();
    Ticket beams(Source(3), MarianTiny::Get().defaults);
    ASSERT_TRUE(third->Submit(&loop).ok());
    ASSERT_TRUE(second->Submit(&loop).ok());
    ASSERT_TRUE(encoder_only->Submit(&loop).ok());
    ASSERT_TRUE(beams.Submit(&loop).ok());
    holder.go_on.Notify();
    EXPECT_TRUE(second->Wait().status.ok());
    EXPECT_TRUE(third->Wait().status.ok());
    EXPECT_TRUE(encoder_only->Wait().status.ok());
    EXPECT_EQ(second->Wait().stats.peak_batch_sequences, 3);
    EXPECT_TRUE(beams.Wait().status.ok());
    holder.ticket.Wait();
  }
  EXPECT_EQ(alone.heads.size(), 3u * 2 * 4);
  EXPECT_EQ(alone.heads, beside.heads);  // exactly
  for (const auto& [site, weights] : alone.heads) {
    double sum = 0;
    for (const float w : weights) sum += static_cast<double>(w);
    const int64_t rows = std::get<0>(site) == AttentionKind::kEncoderSelf
                             ? static_cast<int64_t>(Source(2).size())
                             : alone.num_rows;
    EXPECT_NEAR(sum, static_cast<double>(rows), 1e-4);
  }
  EXPECT_EQ(recorder.loads.back().kv_cache_bytes, 0);
  int forced_steps = 0;
  for (const StepStats& step : recorder.steps)
    forced_steps += step.phase == StepPhase::kForced ? 1 : 0;
  EXPECT_EQ(forced_steps, 2);
}

}  // namespace
}  // namespace attend
