// Eight threads that ask for the same few sentences, cancel and run out of time at random: everyone
// is answered once, everyone who gets an answer gets the right one, and nothing is left behind.
// Meant for ThreadSanitizer and AddressSanitizer as much as for its own checks.
#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "engine/scheduler/engine_loop.h"
#include "engine/scheduler/response_sharing.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/marian_tiny.h"
#include "tests/engine/scheduler/scripted_loop.h"

namespace attend {
namespace {

LoopDoor DoorOf(EngineLoop* loop) {
  LoopDoor door;
  door.submit = [loop](std::shared_ptr<GenerationRequest> request) {
    return loop->Submit(std::move(request));
  };
  door.wake = [loop] { loop->Wake(); };
  return door;
}

struct Kind {
  std::vector<int32_t> source;
  GenerationOptions options;
  std::vector<Hypothesis> expected;
};

std::vector<Kind> MakeKinds() {
  const MarianTiny& tiny = MarianTiny::Get();
  std::vector<Kind> kinds;
  for (size_t i = 0; i < 4; ++i) {
    Kind kind;
    kind.source = tiny.sources[i / 2];
    kind.options = tiny.defaults;
    kind.options.num_beams = i % 2 == 0 ? 1 : 4;
    kind.options.max_length = 40;
    kinds.push_back(std::move(kind));
  }
  EngineLoop loop(tiny.model.get(), SchedulerOptions(), nullptr);
  for (Kind& kind : kinds) {
    Ticket ticket(kind.source, kind.options);
    EXPECT_TRUE(ticket.Submit(&loop).ok());
    kind.expected = ticket.Wait().hypotheses;
  }
  return kinds;
}

struct Counts {
  std::atomic<int> ok{0}, dropped{0}, refused{0}, shared{0};
};

void AskMany(ResponseSharing* sharing, EngineLoop* loop, const std::vector<Kind>& kinds,
             unsigned seed, Counts* counts) {
  std::mt19937 random(seed);
  const auto pick = [&](int lowest, int highest) {
    return std::uniform_int_distribution<int>(lowest, highest)(random);
  };
  struct Asked {
    std::unique_ptr<Asker> asker;
    const Kind* kind;
  };
  std::vector<Asked> all;
  const auto cancel = [&](Asker* asker) {
    asker->cancelled->store(true);
    loop->Wake();
    sharing->Wake();
  };
  for (int i = 0; i < 60; ++i) {
    const Kind& kind = kinds[static_cast<size_t>(pick(0, static_cast<int>(kinds.size()) - 1))];
    auto asker = std::make_unique<Asker>(kind.source);
    asker->request->options = kind.options;
    asker->request->caller = seed;
    if (pick(0, 4) == 0) asker->request->deadline = absl::Now() + absl::Milliseconds(pick(0, 20));
    if (pick(0, 2) == 0) asker->Listen();
    if (!sharing->Submit(asker->request).ok()) {
      ++counts->refused;
      EXPECT_EQ(asker->num_answers(), 0);
      continue;
    }
    if (pick(0, 3) == 0) cancel(asker.get());
    all.push_back({std::move(asker), &kind});
    if (pick(0, 5) == 0)
      cancel(all[static_cast<size_t>(pick(0, static_cast<int>(all.size()) - 1))].asker.get());
  }
  for (const Asked& asked : all) {
    const GenerationResult& result = asked.asker->Wait();
    if (!result.status.ok()) {
      EXPECT_TRUE(absl::IsCancelled(result.status) || absl::IsDeadlineExceeded(result.status));
      ++counts->dropped;
      continue;
    }
    ++counts->ok;
    if (result.stats.origin != ResponseOrigin::kComputed) ++counts->shared;
    const std::vector<Hypothesis>& expected = asked.kind->expected;
    ASSERT_EQ(result.hypotheses.size(), expected.size());
    EXPECT_EQ(result.hypotheses[0].tokens, expected[0].tokens);
    EXPECT_EQ(result.hypotheses[0].log_probs, expected[0].log_probs);
    EXPECT_EQ(result.hypotheses[0].score, expected[0].score);
    const std::vector<int32_t> settled = asked.asker->settled();
    ASSERT_LE(settled.size(), expected[0].tokens.size());
    EXPECT_TRUE(std::equal(settled.begin(), settled.end(), expected[0].tokens.begin()));
  }
}

class SharingStressTest : public ::testing::TestWithParam<int64_t> {};

TEST_P(SharingStressTest, EveryoneIsAnsweredOnceAndRightly) {
  constexpr unsigned kThreads = 8;
  const std::vector<Kind> kinds = MakeKinds();
  SchedulerOptions options;
  options.queue_capacity_tokens = 200;
  ResponseSharingOptions sharing_options;
  sharing_options.cache_bytes = GetParam();
  sharing_options.merge_duplicates = true;
  sharing_options.follower_bytes = 8 << 10;
  Counts counts;
  {
    EngineLoop loop(MarianTiny::Get().model.get(), options, nullptr);
    ResponseSharing sharing(sharing_options, DoorOf(&loop), nullptr);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] { AskMany(&sharing, &loop, kinds, t, &counts); });
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(counts.ok + counts.dropped + counts.refused, static_cast<int>(kThreads * 60));
  EXPECT_GT(counts.ok.load(), 0);
  EXPECT_GT(counts.shared.load(), 0);
}

// No cache: only merging. A cache for about one answer: always being evicted. One for all.
INSTANTIATE_TEST_SUITE_P(CacheBytes, SharingStressTest,
                         ::testing::Values(int64_t{0}, int64_t{12} << 10, int64_t{1} << 20));

}  // namespace
}  // namespace attend
