// The scheduler's decisions, step by step, without a model: plans are compared whole.
#include "engine/scheduler/scheduler.h"

#include <memory>
#include <random>
#include <sstream>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1000);

SequenceDemand Demand(SequenceId id, uint64_t caller = 0) {
  SequenceDemand demand;
  demand.id = id;
  demand.caller = caller;
  demand.encode_tokens = 10;
  demand.rows = 1;
  demand.kv_bytes = 100;
  return demand;
}

SequenceDemand Forced(SequenceId id) {
  SequenceDemand demand = Demand(id);
  demand.forced = true;
  demand.rows = 0;
  return demand;
}

StepPlan Plan(std::vector<SequenceId> encode, std::vector<SequenceId> decode) {
  StepPlan plan;
  plan.encode = std::move(encode);
  plan.decode = std::move(decode);
  return plan;
}

SchedulerLimits Limits() { return {8, 30, 1000}; }

TEST(SchedulerTest, EncodesWithinTheBudgetAndJoinsAtOnce) {
  Scheduler scheduler(Limits());
  EXPECT_TRUE(scheduler.idle());
  for (SequenceId id = 1; id <= 5; ++id) scheduler.Enqueue(Demand(id));
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({1, 2, 3}, {1, 2, 3}));  // 30 tokens
  EXPECT_EQ(scheduler.num_waiting(), 2);
  scheduler.Update({});
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({4, 5}, {1, 2, 3, 4, 5}));
  scheduler.Update({2, 4});
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({}, {1, 3, 5}));
  scheduler.Update({1, 3, 5});
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.reserved_rows(), 0);
  EXPECT_EQ(scheduler.reserved_bytes(), 0);
  EXPECT_TRUE(scheduler.Schedule(kNow, false).runs_nothing());
}

TEST(SchedulerTest, OneLongerThanTheBudgetIsEncodedAlone) {
  Scheduler scheduler(Limits());
  SequenceDemand big = Demand(2);
  big.encode_tokens = 500;
  scheduler.Enqueue(Demand(1));
  scheduler.Enqueue(big);
  scheduler.Enqueue(Demand(3));
  EXPECT_THAT(scheduler.Schedule(kNow, false).encode, ElementsAre(1));
  EXPECT_THAT(scheduler.Schedule(kNow, false).encode, ElementsAre(2));
  EXPECT_THAT(scheduler.Schedule(kNow, false).encode, ElementsAre(3));
}

TEST(SchedulerTest, RowsAndBytesAreReservedUntilTheEnd) {
  Scheduler scheduler(Limits());
  for (SequenceId id = 1; id <= 3; ++id) {
    SequenceDemand beams = Demand(id, /*caller=*/id);
    beams.rows = 4;
    scheduler.Enqueue(beams);
  }
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({1, 2}, {1, 2}));
  EXPECT_EQ(scheduler.reserved_rows(), 8);
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({}, {1, 2}));
  scheduler.Update({1});
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({3}, {2, 3}));

  Scheduler by_bytes(Limits());
  for (SequenceId id = 1; id <= 3; ++id) {
    SequenceDemand heavy = Demand(id, /*caller=*/id);
    heavy.kv_bytes = 450;
    by_bytes.Enqueue(heavy);
  }
  EXPECT_EQ(by_bytes.Schedule(kNow, false), Plan({1, 2}, {1, 2}));
  EXPECT_EQ(by_bytes.reserved_bytes(), 900);
  by_bytes.Update({2});
  EXPECT_EQ(by_bytes.Schedule(kNow, false), Plan({3}, {1, 3}));
}

TEST(SchedulerTest, WhatDoesNotFitYetIsNotOvertaken) {
  Scheduler scheduler(Limits());
  SequenceDemand wide = Demand(2, 7);
  wide.rows = 8;
  scheduler.Enqueue(Demand(1, 5));
  scheduler.Enqueue(wide);
  scheduler.Enqueue(Demand(3, 6));
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({1}, {1}));
  EXPECT_EQ(scheduler.Schedule(kNow, false),
            Plan({}, {1}));  // 3 would fit, but then 2 might wait for ever
  scheduler.Update({1});
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({2}, {2}));
  scheduler.Update({2});
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({3}, {3}));
}

TEST(SchedulerTest, CallersTakeTurns) {
  SchedulerLimits limits = Limits();
  limits.max_batch_rows = 1;
  Scheduler scheduler(limits);
  for (SequenceId id = 1; id <= 4; ++id) scheduler.Enqueue(Demand(id, 100));  // a long call
  scheduler.Enqueue(Demand(5, 200));
  scheduler.Enqueue(Demand(6, 300));
  scheduler.Enqueue(Demand(7, 200));
  std::vector<SequenceId> order;
  while (!scheduler.idle()) {
    const StepPlan plan = scheduler.Schedule(kNow, false);
    ASSERT_EQ(plan.encode.size(), 1u);
    order.push_back(plan.encode[0]);
    scheduler.Update(plan.decode);
  }
  EXPECT_THAT(order, ElementsAre(1, 5, 6, 2, 7, 3, 4));
}

TEST(SchedulerTest, OneCallerLeavesAQuarterOfTheRowsToOthers) {
  Scheduler scheduler(Limits());  // 8 rows
  for (SequenceId id = 1; id <= 4; ++id) {
    SequenceDemand beams = Demand(id, 100);
    beams.rows = 2;
    beams.encode_tokens = 1;
    scheduler.Enqueue(beams);
  }
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({1, 2, 3}, {1, 2, 3}));
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({}, {1, 2, 3}));
  scheduler.Enqueue(Demand(5, 200));  // finds room although it came last
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({5}, {1, 2, 3, 5}));
  scheduler.Update({2});
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({4}, {1, 3, 5, 4}));
}

TEST(SchedulerTest, ASequenceLargerThanTheShareRunsWhenItsCallerHoldsNothing) {
  Scheduler scheduler(Limits());
  SequenceDemand wide = Demand(2, 100);
  wide.rows = 8;
  scheduler.Enqueue(Demand(1, 100));
  scheduler.Enqueue(wide);
  scheduler.Enqueue(Demand(3, 100));  // waits behind it: a caller's own are not reordered
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({1}, {1}));
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({}, {1}));
  scheduler.Update({1});
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({2}, {2}));
  scheduler.Update({2});
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({3}, {3}));
}

TEST(SchedulerTest, ForcedPassesShareTheEncodeBudgetAndAreOverAtOnce) {
  Scheduler scheduler(Limits());
  scheduler.Enqueue(Forced(1));
  scheduler.Enqueue(Demand(2));
  scheduler.Enqueue(Forced(3));
  scheduler.Enqueue(Forced(4));
  StepPlan plan = scheduler.Schedule(kNow, false);
  EXPECT_THAT(plan.forced, ElementsAre(1, 3));
  EXPECT_THAT(plan.encode, ElementsAre(2));
  EXPECT_EQ(scheduler.reserved_bytes(), 100);
  plan = scheduler.Schedule(kNow, false);
  EXPECT_THAT(plan.forced, ElementsAre(4));
  EXPECT_THAT(plan.decode, ElementsAre(2));
  scheduler.Update({2});
  EXPECT_TRUE(scheduler.idle());
}

TEST(SchedulerTest, ForcedPassesCountTheirBytesWithinTheStep) {
  Scheduler scheduler(Limits());
  for (SequenceId id = 1; id <= 3; ++id) {
    SequenceDemand heavy = Forced(id);
    heavy.kv_bytes = 500;
    scheduler.Enqueue(heavy);
  }
  EXPECT_THAT(scheduler.Schedule(kNow, false).forced, ElementsAre(1, 2));
  EXPECT_THAT(scheduler.Schedule(kNow, false).forced, ElementsAre(3));
}

TEST(SchedulerTest, CancelledOnesLeaveAtTheNextStep) {
  SchedulerLimits limits = Limits();
  limits.max_batch_rows = 2;
  Scheduler scheduler(limits);
  std::vector<CancelFlag> flags;
  for (SequenceId id = 1; id <= 6; ++id) {
    flags.push_back(std::make_shared<std::atomic<bool>>(false));
    SequenceDemand demand = Demand(id);
    demand.cancelled = flags.back();
    scheduler.Enqueue(demand);
  }
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({1, 2}, {1, 2}));
  flags[1]->store(true);  // 2, running
  flags[2]->store(true);  // 3, next in turn
  flags[5]->store(true);  // 6, waiting behind 5, which does not fit
  StepPlan expected = Plan({4}, {1, 4});
  expected.drop = {{2, CancelCause::kClient, true}, {3, CancelCause::kClient, false}};
  EXPECT_EQ(scheduler.Schedule(kNow, false), expected);
  EXPECT_EQ(scheduler.num_waiting(), 2);
  expected = Plan({}, {1, 4});
  expected.drop = {{6, CancelCause::kClient, false}};
  EXPECT_EQ(scheduler.Schedule(kNow, /*check_waiting=*/true), expected);
  EXPECT_EQ(scheduler.num_waiting(), 1);
}

TEST(SchedulerTest, ExpiredOnesLeaveEvenWhileTheyWait) {
  SchedulerLimits limits = Limits();
  limits.max_batch_rows = 1;
  Scheduler scheduler(limits);
  for (SequenceId id = 1; id <= 4; ++id) {
    SequenceDemand demand = Demand(id);
    demand.deadline = kNow + absl::Seconds(static_cast<int64_t>(10 * (5 - id)));  // 40 30 20 10
    scheduler.Enqueue(demand);
  }
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({1}, {1}));
  EXPECT_EQ(scheduler.Schedule(kNow + absl::Seconds(9), false), Plan({}, {1}));
  StepPlan expected = Plan({}, {1});
  expected.drop = {{3, CancelCause::kDeadline, false}, {4, CancelCause::kDeadline, false}};
  EXPECT_EQ(scheduler.Schedule(kNow + absl::Seconds(20), false), expected);
  expected = Plan({}, {1});
  expected.drop = {{2, CancelCause::kDeadline, false}};
  EXPECT_EQ(scheduler.Schedule(kNow + absl::Seconds(31), false), expected);
  expected = Plan({}, {});
  expected.drop = {{1, CancelCause::kDeadline, true}};
  EXPECT_EQ(scheduler.Schedule(kNow + absl::Seconds(41), false), expected);
  EXPECT_TRUE(scheduler.idle());
}

TEST(SchedulerTest, TheCallersOwnWishComesBeforeTheClock) {
  Scheduler scheduler(Limits());
  SequenceDemand demand = Demand(1);
  demand.cancelled = std::make_shared<std::atomic<bool>>(true);
  demand.deadline = kNow - absl::Seconds(1);
  scheduler.Enqueue(demand);
  const StepPlan plan = scheduler.Schedule(kNow, false);
  EXPECT_TRUE(plan.runs_nothing());
  EXPECT_THAT(plan.drop, ElementsAre(PlannedDrop{1, CancelCause::kClient, false}));
}

TEST(SchedulerTest, DropAllForgetsEverything) {
  Scheduler scheduler(Limits());
  for (SequenceId id = 1; id <= 4; ++id) scheduler.Enqueue(Demand(id, id));
  scheduler.Schedule(kNow, false);
  const StepPlan plan = scheduler.DropAll();
  EXPECT_TRUE(plan.runs_nothing());
  EXPECT_THAT(plan.drop, ElementsAre(PlannedDrop{1, CancelCause::kShutdown, true},
                                     PlannedDrop{2, CancelCause::kShutdown, true},
                                     PlannedDrop{3, CancelCause::kShutdown, true},
                                     PlannedDrop{4, CancelCause::kShutdown, false}));
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.reserved_bytes(), 0);
  scheduler.Enqueue(Demand(9, 1));
  EXPECT_EQ(scheduler.Schedule(kNow, false), Plan({9}, {9}));
}

TEST(SchedulerTest, ClearLeavesRoomForAsMuchAsThereEverWas) {
  Scheduler scheduler(Limits()), fresh(Limits());
  for (SequenceId id = 1; id <= 4; ++id) scheduler.Enqueue(Demand(id, /*caller=*/1));
  scheduler.Schedule(kNow, false);
  scheduler.Clear();
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.reserved_rows(), 0);
  EXPECT_EQ(scheduler.reserved_bytes(), 0);
  for (SequenceId id = 5; id <= 8; ++id) {  // the same caller: its share is free, too
    for (Scheduler* each : {&scheduler, &fresh}) each->Enqueue(Demand(id, /*caller=*/1));
  }
  const StepPlan expected = fresh.Schedule(kNow, false);
  EXPECT_FALSE(expected.runs_nothing());
  EXPECT_EQ(scheduler.Schedule(kNow, false).encode, expected.encode);
}

TEST(SchedulerTest, WhatCanNeverFit) {
  SequenceDemand demand = Demand(1);
  EXPECT_TRUE(Scheduler::CanEverFit(demand, Limits()));
  demand.rows = 9;
  EXPECT_FALSE(Scheduler::CanEverFit(demand, Limits()));
  demand.rows = 8;
  demand.kv_bytes = 1001;
  EXPECT_FALSE(Scheduler::CanEverFit(demand, Limits()));
}

TEST(SchedulerTest, PlansPrint) {
  StepPlan plan = Plan({7, 8}, {1, 7, 8});
  plan.drop = {{3, CancelCause::kClient, true}, {4, CancelCause::kDeadline, false}};
  std::ostringstream text;
  text << plan;
  EXPECT_EQ(text.str(), "drop [3 client running 4 deadline] forced [] encode [7 8] decode [1 7 8]");
}

// Whatever comes: limits hold, everything is planned exactly once and ends or is dropped exactly
// once, nothing starves.
TEST(SchedulerTest, InvariantsHoldOverRandomTraffic) {
  std::mt19937 random(3);
  const auto pick = [&](int lowest, int highest) {
    return std::uniform_int_distribution<int>(lowest, highest)(random);
  };
  for (int round = 0; round < 50; ++round) {
    const SchedulerLimits limits{pick(4, 20), pick(5, 60), pick(400, 3000)};
    Scheduler scheduler(limits);
    struct Seen {
      SequenceDemand demand;
      int admitted = 0, over = 0;
    };
    std::map<SequenceId, Seen> seen;
    SequenceId last_id = 0;
    absl::Time now = kNow;
    for (int step = 0; step < 400 || !scheduler.idle(); ++step) {
      ASSERT_LT(step, 5000) << "something starves";
      for (int i = step < 400 ? pick(0, 3) : 0; i > 0; --i) {
        SequenceDemand demand = Demand(++last_id, static_cast<uint64_t>(pick(0, 4)));
        demand.forced = pick(0, 5) == 0;
        demand.rows = demand.forced ? 0 : pick(1, 4);
        demand.kv_bytes = pick(1, 400);
        demand.encode_tokens = pick(1, 80);
        if (pick(0, 4) == 0) demand.deadline = now + absl::Seconds(pick(0, 40));
        demand.cancelled = std::make_shared<std::atomic<bool>>(false);
        scheduler.Enqueue(demand);
        seen[demand.id].demand = demand;
      }
      bool flagged = false;
      if (last_id > 0 && pick(0, 5) == 0) {
        seen[static_cast<SequenceId>(pick(1, static_cast<int>(last_id)))].demand.cancelled->store(
            true);
        flagged = true;
      }
      now += absl::Seconds(1);
      const StepPlan plan = scheduler.Schedule(now, flagged);
      int64_t rows = 0, bytes = 0, tokens = 0;
      for (const PlannedDrop& drop : plan.drop) {
        ++seen[drop.id].over;
        EXPECT_EQ(drop.was_running, seen[drop.id].admitted == 1);
      }
      for (const SequenceId id : plan.forced) {
        ++seen[id].over;
        bytes += seen[id].demand.kv_bytes;
        tokens += seen[id].demand.encode_tokens;
      }
      for (const SequenceId id : plan.encode) {
        ++seen[id].admitted;
        tokens += seen[id].demand.encode_tokens;
      }
      std::vector<SequenceId> ended;
      for (const SequenceId id : plan.decode) {
        ASSERT_EQ(seen[id].over, 0);
        ASSERT_EQ(seen[id].admitted, 1);
        ASSERT_FALSE(seen[id].demand.cancelled->load() || seen[id].demand.deadline <= now);
        rows += seen[id].demand.rows;
        bytes += seen[id].demand.kv_bytes;
        if (pick(0, 3) == 0) ended.push_back(id);
      }
      ASSERT_LE(rows, limits.max_batch_rows);
      ASSERT_LE(bytes, limits.kv_cache_bytes);
      if (plan.forced.size() + plan.encode.size() > 1) {
        ASSERT_LE(tokens, limits.max_encode_tokens);
      }
      for (const SequenceId id : ended) ++seen[id].over;
      scheduler.Update(ended);
    }
    for (const auto& [id, s] : seen) ASSERT_EQ(s.over, 1) << id;
    EXPECT_EQ(scheduler.reserved_rows(), 0);
    EXPECT_EQ(scheduler.reserved_bytes(), 0);
  }
}

}  // namespace
}  // namespace attend
