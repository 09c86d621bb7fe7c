// The cache and the merging together, before a scripted loop and before a real one.
#include "engine/scheduler/response_sharing.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/scheduler/engine_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/marian_tiny.h"
#include "tests/engine/scheduler/scripted_loop.h"

namespace attend {
namespace {

using ::testing::ElementsAre;

ResponseSharingOptions Both() {
  ResponseSharingOptions options;
  options.cache_bytes = 1 << 20;
  options.merge_duplicates = true;
  return options;
}

ResponseSharingOptions CacheOnly() {
  ResponseSharingOptions options = Both();
  options.merge_duplicates = false;
  return options;
}

ResponseSharingOptions MergeOnly() {
  ResponseSharingOptions options = Both();
  options.cache_bytes = 0;
  return options;
}

class Recorder : public EngineObserver {
 public:
  void OnStep(const StepStats&) override {}
  void OnLoad(const LoadStats&) override {}
  void OnQueueWait(absl::Duration) override {}
  void OnFirstToken(absl::Duration) override {}
  void OnCancelled(CancelCause cause, CancelStage, int64_t) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    causes.push_back(cause);
  }
  void OnResponseLookup(ResponseLookup lookup) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++lookups[static_cast<size_t>(lookup)];
  }
  void OnResponseCache(const ResponseCacheStats& stats) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    cache = stats;
    evictions += stats.evictions;
  }

  // Hits, merged, misses.
  std::vector<int> lookups = {0, 0, 0};
  ResponseCacheStats cache;
  int64_t evictions = 0;
  std::vector<CancelCause> causes;

 private:
  std::mutex mutex_;
};

TEST(ResponseSharingTest, IsOffUnlessAskedFor) {
  EXPECT_FALSE(ResponseSharingOptions().any());
  EXPECT_TRUE(CacheOnly().any());
  EXPECT_TRUE(MergeOnly().any());
}

class SharingModeTest : public ::testing::TestWithParam<ResponseSharingOptions> {};

TEST_P(SharingModeTest, TheSecondIsAnsweredFromTheCacheIfThereIsOne) {
  ScriptedLoop loop;
  Recorder recorder;
  ResponseSharing sharing(GetParam(), loop.Door(), &recorder);
  const bool has_cache = GetParam().cache_bytes > 0;
  Asker first, second;
  second.Listen();
  ASSERT_TRUE(sharing.Submit(first.request).ok());
  loop.Finish(0, ResultOf({8, 9}));
  EXPECT_EQ(first.Wait().stats.origin, ResponseOrigin::kComputed);
  ASSERT_TRUE(sharing.Submit(second.request).ok());
  ASSERT_EQ(loop.running.size(), has_cache ? 1u : 2u);
  if (!has_cache) loop.Finish(1, ResultOf({8, 9}));
  const GenerationResult& result = second.Wait();
  EXPECT_TRUE(result.status.ok());
  EXPECT_THAT(result.hypotheses[0].tokens, ElementsAre(8, 9));
  if (has_cache) {
    EXPECT_EQ(result.stats.origin, ResponseOrigin::kCached);
    EXPECT_EQ(result.stats.input_tokens, 3);
    EXPECT_EQ(result.stats.output_tokens, 2);
    EXPECT_EQ(result.stats.computed_tokens, 0);
    EXPECT_EQ(result.stats.queue + result.stats.encode + result.stats.decode, absl::ZeroDuration());
    EXPECT_THAT(recorder.lookups, ElementsAre(1, 0, 1));
    EXPECT_EQ(recorder.cache.entries, 1);
    EXPECT_GT(recorder.cache.bytes, 0);
  } else {
    EXPECT_THAT(recorder.lookups, ElementsAre(0, 0, 2));
    EXPECT_EQ(recorder.cache.entries, 0);
  }
}

TEST_P(SharingModeTest, TheSecondWaitsForTheFirstIfDuplicatesAreMerged) {
  ScriptedLoop loop;
  Recorder recorder;
  ResponseSharing sharing(GetParam(), loop.Door(), &recorder);
  Asker first, second;
  ASSERT_TRUE(sharing.Submit(first.request).ok());
  ASSERT_TRUE(sharing.Submit(second.request).ok());
  const bool merges = GetParam().merge_duplicates;
  EXPECT_EQ(loop.running.size(), merges ? 1u : 2u);
  for (size_t i = 0; i < loop.running.size(); ++i) loop.Finish(i, ResultOf({8}));
  EXPECT_TRUE(first.Wait().status.ok());
  EXPECT_EQ(second.Wait().stats.origin,
            merges ? ResponseOrigin::kMerged : ResponseOrigin::kComputed);
  EXPECT_THAT(recorder.lookups, merges ? ElementsAre(0, 1, 1) : ElementsAre(0, 0, 2));
}

TEST_P(SharingModeTest, FailuresAreNotKept) {
  ScriptedLoop loop;
  ResponseSharing sharing(GetParam(), loop.Door(), nullptr);
  Asker first, second;
  ASSERT_TRUE(sharing.Submit(first.request).ok());
  GenerationResult failure;
  failure.status = absl::UnavailableError("shutting down");
  loop.Finish(0, failure);
  EXPECT_EQ(first.Wait().status, failure.status);
  ASSERT_TRUE(sharing.Submit(second.request).ok());
  ASSERT_EQ(loop.running.size(), 2u);
  loop.Finish(1, ResultOf({8}));
  EXPECT_TRUE(second.Wait().status.ok());
}

TEST_P(SharingModeTest, WhatMustBeComputedAloneGoesToTheLoopAsItIs) {
  ScriptedLoop loop;
  Recorder recorder;
  ResponseSharing sharing(GetParam(), loop.Door(), &recorder);
  Asker drawn, drawn_again, forced, forced_again, late, cancelled;
  for (Asker* asker : {&drawn, &drawn_again}) {
    asker->request->options.sampling = SamplingOptions();
    asker->request->options.sampling->seed_is_drawn = true;
  }
  for (Asker* asker : {&forced, &forced_again}) asker->request->forced = true;
  late.request->deadline = absl::UnixEpoch();
  cancelled.cancelled->store(true);
  size_t expected = 0;
  for (Asker* asker : {&drawn, &drawn_again, &forced, &forced_again, &late, &cancelled}) {
    ASSERT_TRUE(sharing.Submit(asker->request).ok());
    ASSERT_EQ(loop.running.size(), ++expected);
    EXPECT_EQ(loop.running.back(), asker->request);
    loop.Finish(expected - 1, ResultOf({8}));
    EXPECT_EQ(asker->Wait().stats.origin, ResponseOrigin::kComputed);
  }
  EXPECT_THAT(recorder.lookups, ElementsAre(0, 0, 0));
}

TEST_P(SharingModeTest, WhoIsRefusedMayAskAgain) {
  ScriptedLoop loop;
  Recorder recorder;
  ResponseSharing sharing(GetParam(), loop.Door(), &recorder);
  Asker asker;
  loop.refusal = absl::ResourceExhaustedError("full");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sharing.Submit(asker.request), loop.refusal);
  EXPECT_THAT(recorder.lookups, ElementsAre(0, 0, 0));
  loop.refusal = absl::OkStatus();
  ASSERT_TRUE(sharing.Submit(asker.request).ok());
  loop.Finish(0, ResultOf({8}));
  EXPECT_TRUE(asker.Wait().status.ok());
  EXPECT_THAT(recorder.lookups, ElementsAre(0, 0, 1));
}

std::string ModeName(const ::testing::TestParamInfo<ResponseSharingOptions>& mode) {
  if (!mode.param.merge_duplicates) return "Cache";
  return mode.param.cache_bytes > 0 ? "Both" : "Merge";
}
INSTANTIATE_TEST_SUITE_P(Modes, SharingModeTest,
                         ::testing::Values(CacheOnly(), MergeOnly(), Both()), ModeName);

TEST(ResponseSharingTest, OneWithoutRoomToFollowIsComputedAndKept) {
  ScriptedLoop loop;
  ResponseSharingOptions options = Both();
  options.follower_bytes = 0;
  Recorder recorder;
  ResponseSharing sharing(options, loop.Door(), &recorder);
  Asker first, second, third;
  ASSERT_TRUE(sharing.Submit(first.request).ok());
  ASSERT_TRUE(sharing.Submit(second.request).ok());
  ASSERT_EQ(loop.running.size(), 2u);
  loop.Finish(1, ResultOf({8}));
  EXPECT_EQ(second.Wait().stats.origin, ResponseOrigin::kComputed);
  ASSERT_TRUE(sharing.Submit(third.request).ok());
  EXPECT_EQ(third.Wait().stats.origin, ResponseOrigin::kCached);
  loop.Finish(0, ResultOf({8}));
  EXPECT_EQ(first.Wait().stats.origin, ResponseOrigin::kComputed);
  EXPECT_THAT(recorder.lookups, ElementsAre(1, 0, 2));
}

TEST(ResponseSharingTest, EvictionsAreReportedOnce) {
  ScriptedLoop loop;
  ResponseSharingOptions options = CacheOnly();
  options.cache_bytes = 8 << 10;
  Recorder recorder;
  ResponseSharing sharing(options, loop.Door(), &recorder);
  for (int32_t i = 0; i < 100; ++i) {
    Asker asker({i});
    ASSERT_TRUE(sharing.Submit(asker.request).ok());
    loop.Finish(static_cast<size_t>(i), ResultOf({8}));
    asker.Wait();
    ASSERT_LE(recorder.cache.bytes, options.cache_bytes);
  }
  EXPECT_GT(recorder.evictions, 0);
  EXPECT_EQ(recorder.evictions + recorder.cache.entries, 100);
}

// ---- Before a real loop. ----

void ExpectSameBits(const GenerationResult& a, const GenerationResult& b) {
  ASSERT_EQ(a.hypotheses.size(), b.hypotheses.size());
  for (size_t i = 0; i < a.hypotheses.size(); ++i) {
    const Hypothesis &x = a.hypotheses[i], &y = b.hypotheses[i];
    EXPECT_EQ(x.tokens, y.tokens);
    ASSERT_EQ(x.log_probs.size(), y.log_probs.size());
    EXPECT_EQ(
        std::memcmp(x.log_probs.data(), y.log_probs.data(), x.log_probs.size() * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(&x.score, &y.score, sizeof x.score), 0);
    EXPECT_EQ(x.finish_reason, y.finish_reason);
  }
}

LoopDoor DoorOf(EngineLoop* loop) {
  LoopDoor door;
  door.submit = [loop](std::shared_ptr<GenerationRequest> request) {
    return loop->Submit(std::move(request));
  };
  door.wake = [loop] { loop->Wake(); };
  return door;
}

std::vector<GenerationOptions> Searches() {
  GenerationOptions greedy = MarianTiny::Get().defaults;
  greedy.num_beams = 1;
  greedy.max_length = 40;
  GenerationOptions beams = greedy;
  beams.num_beams = 4;
  beams.num_return_sequences = 3;
  GenerationOptions sampling = greedy;
  sampling.sampling = SamplingOptions();
  sampling.sampling->seed = 11;
  return {greedy, beams, sampling};
}

TEST(ResponseSharingLoopTest, WhatIsSharedIsWhatWouldBeComputed) {
  for (const GenerationOptions& options : Searches()) {
    EngineLoop loop(MarianTiny::Get().model.get(), SchedulerOptions(), nullptr);
    ResponseSharing sharing(Both(), DoorOf(&loop), nullptr);
    const auto asker_of = [&] {
      auto asker = std::make_unique<Asker>(MarianTiny::Get().sources[0]);
      asker->request->options = options;
      return asker;
    };
    auto alone = asker_of(), first = asker_of(), second = asker_of(), third = asker_of();
    ASSERT_TRUE(loop.Submit(alone->request).ok());
    alone->Wait();
    // The first's tokens hold the loop until the second has come.
    Event reached, go_on;
    first->request->on_settled = [&](absl::Span<const int32_t>) {
      reached.Notify();
      go_on.Wait();
    };
    second->Listen();
    ASSERT_TRUE(sharing.Submit(first->request).ok());
    reached.Wait();
    ASSERT_TRUE(sharing.Submit(second->request).ok());
    go_on.Notify();
    ExpectSameBits(first->Wait(), alone->Wait());
    ExpectSameBits(second->Wait(), alone->Wait());
    EXPECT_EQ(second->Wait().stats.origin, ResponseOrigin::kMerged);
    const std::vector<int32_t>& tokens = alone->Wait().hypotheses[0].tokens;
    const std::vector<int32_t> settled = second->settled();
    ASSERT_LE(settled.size(), tokens.size());
    EXPECT_TRUE(std::equal(settled.begin(), settled.end(), tokens.begin()));
    ASSERT_TRUE(sharing.Submit(third->request).ok());
    ExpectSameBits(third->Wait(), alone->Wait());
    EXPECT_EQ(third->Wait().stats.origin, ResponseOrigin::kCached);
  }
}

// One row: one sequence after the other, callers in turn.
TEST(ResponseSharingLoopTest, AShortCallDoesNotWaitInTheTurnsOfALongOne) {
  SchedulerOptions options;
  options.max_batch_rows = 1;
  EngineLoop loop(MarianTiny::Get().model.get(), options, nullptr);
  ResponseSharing sharing(MergeOnly(), DoorOf(&loop), nullptr);
  Asker holder(MarianTiny::Get().sources[0]);
  holder.request->options = Searches()[0];
  holder.request->caller = 9;
  Event reached, go_on;
  holder.request->on_settled = [&](absl::Span<const int32_t>) {
    reached.Notify();
    go_on.Wait();
  };
  ASSERT_TRUE(loop.Submit(holder.request).ok());
  reached.Wait();

  std::mutex mutex;
  std::vector<std::string> order;
  std::vector<std::unique_ptr<Asker>> askers;
  const auto submit = [&](const std::string& name, uint64_t caller, size_t source) {
    askers.push_back(std::make_unique<Asker>(MarianTiny::Get().sources[source]));
    GenerationRequest& request = *askers.back()->request;
    request.options = Searches()[0];
    request.caller = caller;
    request.on_done = [&, name, done = request.on_done](GenerationResult result) {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        order.push_back(name);
      }
      done(std::move(result));
    };
    ASSERT_TRUE(sharing.Submit(askers.back()->request).ok());
  };
  for (size_t i = 0; i < 4; ++i) submit("long " + std::to_string(i), 1, i);
  submit("short", 2, 3);
  go_on.Notify();
  for (const auto& asker : askers) EXPECT_TRUE(asker->Wait().status.ok());
  EXPECT_THAT(order, ElementsAre("long 0", "long 3", "short", "long 1", "long 2"));
}

TEST(ResponseSharingLoopTest, WhatNobodyWantsIsDroppedAndCountedByItsReason) {
  for (const bool by_deadline : {true, false}) {
    Recorder recorder;
    {
      EngineLoop loop(MarianTiny::Get().model.get(), SchedulerOptions(), &recorder);
      ResponseSharing sharing(MergeOnly(), DoorOf(&loop), &recorder);
      // Another's tokens hold the loop until those who wait have left.
      Asker holder(MarianTiny::Get().sources[1]), asker(MarianTiny::Get().sources[0]);
      holder.request->options = asker.request->options = Searches()[0];
      Event reached, go_on;
      holder.request->on_settled = [&](absl::Span<const int32_t>) {
        reached.Notify();
        go_on.Wait();
      };
      ASSERT_TRUE(loop.Submit(holder.request).ok());
      reached.Wait();
      if (by_deadline) asker.request->deadline = absl::Now() + absl::Milliseconds(200);
      ASSERT_TRUE(sharing.Submit(asker.request).ok());
      if (!by_deadline) {
        asker.cancelled->store(true);
        sharing.Wake();
      }
      const absl::Status status = asker.Wait().status;
      EXPECT_EQ(status.code(),
                by_deadline ? absl::StatusCode::kDeadlineExceeded : absl::StatusCode::kCancelled);
      EXPECT_EQ(holder.num_answers(), 0) << "the end of one who waits needs no step of the loop";
      go_on.Notify();
      EXPECT_TRUE(holder.Wait().status.ok());
      loop.Drain(absl::InfiniteDuration());
    }
    EXPECT_THAT(recorder.causes,
                ElementsAre(by_deadline ? CancelCause::kDeadline : CancelCause::kClient));
  }
}

}  // namespace
}  // namespace attend
