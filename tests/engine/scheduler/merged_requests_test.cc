// One computation for several who ask: who gets what, and that nobody's end is another's.
#include "engine/scheduler/merged_requests.h"

#include <utility>

#include "engine/base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/scripted_loop.h"

namespace attend {
namespace {

using Part = MergedRequests::Part;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr char kKey[] = "key";

class MergedRequestsTest : public ::testing::Test {
 protected:
  Part Submit(Asker* asker, const std::string& key = kKey) {
    auto part = merged.Submit(key, asker->request.get());
    EXPECT_TRUE(part.ok()) << part.status();
    return part.value_or(Part::kNone);
  }
  void Cancel(Asker* asker) {
    asker->cancelled->store(true);
    merged.Wake();
  }

  ScriptedLoop loop;
  MergedRequests merged{1 << 20, loop.Door(), nullptr};
};

TEST_F(MergedRequestsTest, EqualRequestsAreComputedOnce) {
  Asker first, second, other;
  first.request->caller = second.request->caller = 7;
  EXPECT_EQ(Submit(&first), Part::kFirst);
  EXPECT_EQ(Submit(&second), Part::kFollower);
  EXPECT_EQ(Submit(&other, "other"), Part::kFirst);
  ASSERT_EQ(loop.running.size(), 2u);
  EXPECT_EQ(loop.running[0]->source_ids, (std::vector<int32_t>{3, 4, 5}));
  EXPECT_EQ(loop.running[0]->caller, 7u);
  loop.Finish(0, ResultOf({8, 9}));
  for (Asker* asker : {&first, &second}) {
    const GenerationResult& result = asker->Wait();
    EXPECT_TRUE(result.status.ok());
    ASSERT_EQ(result.hypotheses.size(), 1u);
    EXPECT_THAT(result.hypotheses[0].tokens, ElementsAre(8, 9));
    EXPECT_THAT(result.hypotheses[0].log_probs, ElementsAre(-0.25f, -0.25f));
    EXPECT_EQ(result.hypotheses[0].score, -0.125);
  }
  EXPECT_EQ(other.num_answers(), 0);
  loop.Finish(1, ResultOf({1}));
  EXPECT_THAT(other.Wait().hypotheses[0].tokens, ElementsAre(1));
}

TEST_F(MergedRequestsTest, ThoseWhoFollowSaySoAndCountNoWork) {
  Asker first, second;
  Submit(&first);
  Submit(&second);
  loop.Finish(0, ResultOf({8, 9}));
  const SequenceStats& leader = first.Wait().stats;
  EXPECT_EQ(leader.origin, ResponseOrigin::kComputed);
  EXPECT_EQ(leader.computed_tokens, 7);
  EXPECT_EQ(leader.queue, absl::Hours(1));
  const SequenceStats& follower = second.Wait().stats;
  EXPECT_EQ(follower.origin, ResponseOrigin::kMerged);
  EXPECT_EQ(follower.computed_tokens, 0);
  EXPECT_LT(follower.queue, absl::Hours(1)) << "the time before it came is not its own";
  EXPECT_EQ(follower.decode, absl::Hours(1));
}

TEST_F(MergedRequestsTest, AfterTheEndTheNextBeginsAnew) {
  Asker first, second;
  Submit(&first);
  loop.Finish(0, ResultOf({8}));
  EXPECT_EQ(Submit(&second), Part::kFirst);
  loop.Finish(1, ResultOf({8}));
  second.Wait();
}

TEST_F(MergedRequestsTest, TheFirstIsCancelledAndTheOthersGoOn) {
  Asker first, second;
  Submit(&first);
  Submit(&second);
  Cancel(&first);
  EXPECT_TRUE(absl::IsCancelled(first.Wait().status));
  EXPECT_FALSE(loop.IsStopped(0));
  EXPECT_EQ(second.num_answers(), 0);
  Asker third;
  EXPECT_EQ(Submit(&third), Part::kFollower) << "what runs can still be joined";
  loop.Finish(0, ResultOf({8, 9}));
  EXPECT_TRUE(second.Wait().status.ok());
  EXPECT_TRUE(third.Wait().status.ok());
  EXPECT_EQ(first.num_answers(), 1);
}

TEST_F(MergedRequestsTest, TheFirstRunsOutOfTimeAndTheOthersGoOn) {
  Asker first, second;
  first.request->deadline = absl::Now() + absl::Milliseconds(20);
  Submit(&first);
  Submit(&second);
  EXPECT_EQ(loop.running[0]->deadline, absl::InfiniteFuture()) << "or the loop would end them all";
  loop.Settle(0, {8});
  const absl::Status late = first.Wait().status;
  EXPECT_TRUE(absl::IsDeadlineExceeded(late));
  EXPECT_THAT(GetErrorDetail(late)->metadata, ElementsAre(Pair("tokens_done", "1")));
  EXPECT_FALSE(loop.IsStopped(0));
  loop.Finish(0, ResultOf({8, 9}));
  EXPECT_TRUE(second.Wait().status.ok());
}

TEST_F(MergedRequestsTest, AFollowersOwnDeadlineEndsItAlone) {
  Asker first, second, third;
  first.request->deadline = absl::Now() + absl::Hours(2);
  second.request->deadline = absl::Now() + absl::Milliseconds(20);
  Submit(&first);
  Submit(&second);
  Submit(&third);
  EXPECT_TRUE(absl::IsDeadlineExceeded(second.Wait().status));
  EXPECT_FALSE(loop.IsStopped(0));
  Cancel(&third);
  EXPECT_TRUE(absl::IsCancelled(third.Wait().status));
  EXPECT_FALSE(loop.IsStopped(0));
  loop.Finish(0, ResultOf({8}));
  EXPECT_TRUE(first.Wait().status.ok());
}

TEST_F(MergedRequestsTest, WhatNobodyWantsIsStoppedAndTheNextBeginsAnew) {
  Asker first, second;
  Submit(&first);
  Submit(&second);
  Cancel(&first);
  first.Wait();
  EXPECT_EQ(loop.num_wakes, 0);
  Cancel(&second);
  second.Wait();
  EXPECT_TRUE(loop.IsStopped(0));
  EXPECT_EQ(loop.running[0]->cancel_reason->load(), CancelCause::kClient);
  EXPECT_EQ(loop.num_wakes, 1);

  Asker third, fourth;
  EXPECT_EQ(Submit(&third), Part::kFirst) << "nobody joins what was told to stop";
  GenerationResult dropped;
  dropped.status = absl::CancelledError("nobody wants it");
  loop.Finish(0, std::move(dropped));  // its end is not that of the new one
  EXPECT_EQ(third.num_answers(), 0);
  EXPECT_EQ(Submit(&fourth), Part::kFollower);
  loop.Finish(1, ResultOf({8}));
  EXPECT_TRUE(third.Wait().status.ok());
  EXPECT_TRUE(fourth.Wait().status.ok());
}

TEST_F(MergedRequestsTest, WhenTheLastRunsOutOfTimeTheLoopHearsThatReason) {
  Asker first, second;
  second.request->deadline = absl::Now() + absl::Milliseconds(20);
  Submit(&first);
  Submit(&second);
  Cancel(&first);
  first.Wait();
  EXPECT_TRUE(absl::IsDeadlineExceeded(second.Wait().status));
  EXPECT_TRUE(loop.IsStopped(0));
  EXPECT_EQ(loop.running[0]->cancel_reason->load(), CancelCause::kDeadline);
}

// ---- Places in the queue. ----

TEST_F(MergedRequestsTest, WhatWaitsHasAPlaceForEachCallerAndTheFirstAdmittedRuns) {
  Asker first, again, other, late;
  first.Listen();
  other.request->caller = 1;
  late.request->caller = 2;
  Submit(&first);
  EXPECT_EQ(Submit(&again), Part::kFollower);
  EXPECT_EQ(loop.running.size(), 1u) << "one place a caller";
  EXPECT_EQ(Submit(&other), Part::kFollower);
  ASSERT_EQ(loop.running.size(), 2u);
  EXPECT_EQ(loop.running[1]->caller, 1u);
  EXPECT_EQ(loop.running[1]->source_ids, loop.running[0]->source_ids);

  loop.running[1]->on_started();
  EXPECT_TRUE(loop.IsStopped(0));
  EXPECT_EQ(loop.running[0]->cancel_reason->load(), CancelCause::kMerged);
  EXPECT_FALSE(loop.IsStopped(1));
  EXPECT_EQ(loop.num_wakes, 1);
  EXPECT_EQ(Submit(&late), Part::kFollower);
  EXPECT_EQ(loop.running.size(), 2u) << "what runs needs no places";

  // Both may be admitted at once; what the other says is passed over.
  loop.running[0]->on_started();
  loop.Settle(0, {8});
  loop.Settle(1, {8});
  EXPECT_THAT(first.settled(), ElementsAre(8));
  GenerationResult dropped;
  dropped.status = absl::CancelledError("merged");
  loop.Finish(0, std::move(dropped));
  EXPECT_EQ(first.num_answers(), 0);
  loop.Finish(1, ResultOf({8, 9}));
  for (Asker* asker : {&first, &again, &other, &late}) {
    EXPECT_TRUE(asker->Wait().status.ok());
    EXPECT_THAT(asker->Wait().hypotheses[0].tokens, ElementsAre(8, 9));
  }
  EXPECT_EQ(first.Wait().stats.origin, ResponseOrigin::kComputed);
  EXPECT_EQ(other.Wait().stats.origin, ResponseOrigin::kMerged);
}

TEST_F(MergedRequestsTest, AFullQueueHasNoSecondPlaceAndStillAnswers) {
  Asker first, other;
  other.request->caller = 1;
  Submit(&first);
  loop.refusal = absl::ResourceExhaustedError("full");
  EXPECT_EQ(Submit(&other), Part::kFollower);
  ASSERT_EQ(loop.running.size(), 1u);
  Cancel(&first);
  first.Wait();
  EXPECT_FALSE(loop.IsStopped(0)) << "the place goes to who is left";
  loop.running[0]->on_started();
  loop.Finish(0, ResultOf({8}));
  EXPECT_TRUE(other.Wait().status.ok());
}

TEST_F(MergedRequestsTest, WhatNobodyWantsLeavesAllItsPlacesAndCountsOnce) {
  Asker first, other;
  other.request->caller = 1;
  Submit(&first);
  Submit(&other);
  first.cancelled->store(true);
  Cancel(&other);
  first.Wait();
  other.Wait();
  EXPECT_TRUE(loop.IsStopped(0));
  EXPECT_TRUE(loop.IsStopped(1));
  EXPECT_EQ(loop.running[0]->cancel_reason->load(), CancelCause::kClient);
  EXPECT_EQ(loop.running[1]->cancel_reason->load(), CancelCause::kMerged);
}

TEST_F(MergedRequestsTest, EveryoneWhoStreamsGetsAllTokensInOrder) {
  Asker first, quiet, late;
  first.Listen();
  late.Listen();
  Submit(&first);
  Submit(&quiet);
  loop.Settle(0, {1, 2});
  EXPECT_THAT(first.settled(), ElementsAre(1, 2));
  Submit(&late);
  EXPECT_THAT(late.settled(), IsEmpty());
  loop.Settle(0, {3});
  EXPECT_THAT(first.settled(), ElementsAre(1, 2, 3));
  EXPECT_THAT(late.settled(), ElementsAre(1, 2, 3));
  loop.Settle(0, {4});
  loop.Finish(0, ResultOf({1, 2, 3, 4}));
  EXPECT_THAT(first.settled(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(late.settled(), ElementsAre(1, 2, 3, 4));
  for (Asker* asker : {&first, &quiet, &late}) EXPECT_TRUE(asker->Wait().status.ok());
}

// Someone who leaves while it is being told tokens is answered when that is over, and not before.
TEST_F(MergedRequestsTest, NobodyIsAnsweredWhileItIsToldTokens) {
  Asker streaming, quiet, patient;
  int answers_during = -1;
  streaming.request->on_settled = [&](absl::Span<const int32_t>) {
    streaming.cancelled->store(true);
    Cancel(&quiet);
    quiet.Wait();  // so the watcher has seen both, the streaming one first
    answers_during = streaming.num_answers();
  };
  Submit(&streaming);
  Submit(&quiet);
  Submit(&patient);
  loop.Settle(0, {1});
  EXPECT_EQ(answers_during, 0);
  EXPECT_EQ(streaming.num_answers(), 1);
  EXPECT_TRUE(absl::IsCancelled(streaming.Wait().status));
  EXPECT_FALSE(loop.IsStopped(0));
  loop.Finish(0, ResultOf({1}));
  EXPECT_TRUE(patient.Wait().status.ok());
}

TEST_F(MergedRequestsTest, TheLastMayLeaveWhileItIsToldTokens) {
  Asker streaming, quiet;
  streaming.request->on_settled = [&](absl::Span<const int32_t>) {
    streaming.cancelled->store(true);
    Cancel(&quiet);
    quiet.Wait();
  };
  Submit(&streaming);
  Submit(&quiet);
  loop.Settle(0, {1});
  EXPECT_TRUE(absl::IsCancelled(streaming.Wait().status));
  EXPECT_TRUE(loop.IsStopped(0));
  Asker next;
  EXPECT_EQ(Submit(&next), Part::kFirst);
  loop.Finish(1, ResultOf({1}));
  next.Wait();
}

TEST_F(MergedRequestsTest, WhoIsRefusedMayAskAgain) {
  Asker asker;
  loop.refusal = absl::ResourceExhaustedError("full");
  EXPECT_EQ(merged.Submit(kKey, asker.request.get()).status(), loop.refusal);
  EXPECT_EQ(asker.num_answers(), 0);
  loop.refusal = absl::OkStatus();
  EXPECT_EQ(Submit(&asker), Part::kFirst);
  loop.Finish(0, ResultOf({8}));
  EXPECT_TRUE(asker.Wait().status.ok());
}

TEST_F(MergedRequestsTest, WhatEndsTheServerEndsAll) {
  Asker first, second;
  Submit(&first);
  Submit(&second);
  GenerationResult result;
  result.status = absl::UnavailableError("shutting down");
  loop.Finish(0, result);
  EXPECT_EQ(first.Wait().status, result.status);
  EXPECT_EQ(second.Wait().status, result.status);
}

TEST(MergedRequestsBoundTest, ThoseWhoFollowAreBoundedInBytes) {
  ScriptedLoop loop;
  MergedRequests merged(4096, loop.Door(), nullptr);
  std::vector<std::unique_ptr<Asker>> askers;
  std::vector<Part> parts;
  for (int i = 0; i < 20; ++i) {
    askers.push_back(std::make_unique<Asker>());
    parts.push_back(merged.Submit(kKey, askers.back()->request.get()).value());
  }
  EXPECT_EQ(parts[0], Part::kFirst);
  EXPECT_EQ(parts[1], Part::kFollower);
  EXPECT_EQ(parts[19], Part::kNone);
  EXPECT_TRUE(askers[19]->request->on_done) << "one without room is as it was";
  ASSERT_EQ(loop.running.size(), 1u);
  loop.Finish(0, ResultOf({8}));
  for (size_t i = 0; i < askers.size(); ++i)
    EXPECT_EQ(askers[i]->num_answers(), parts[i] == Part::kNone ? 0 : 1);
  // The room is free again.
  EXPECT_EQ(merged.Submit(kKey, askers[19]->request.get()).value(), Part::kFirst);
  Asker last;
  EXPECT_EQ(merged.Submit(kKey, last.request.get()).value(), Part::kFollower);
  loop.Finish(1, ResultOf({8}));
  last.Wait();
}

TEST(MergedRequestsResultTest, TheResultIsSeenBeforeAnybodyIsAnswered) {
  ScriptedLoop loop;
  Asker asker;
  int answers_before = -1;
  std::string key;
  MergedRequests merged(1 << 20, loop.Door(),
                        [&](const std::string& seen, const GenerationResult& result) {
                          EXPECT_TRUE(result.status.ok());
                          key = seen;
                          answers_before = asker.num_answers();
                        });
  ASSERT_EQ(merged.Submit(kKey, asker.request.get()).value(), Part::kFirst);
  loop.Finish(0, ResultOf({8}));
  EXPECT_EQ(key, kKey);
  EXPECT_EQ(answers_before, 0);
  asker.Wait();
}

}  // namespace
}  // namespace attend
