// Members that spin and members that sleep do the same; both ways of waiting are forced here by the
// number of CPUs that the team is told of.
#include "engine/ops/thread_team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace attend {
namespace {

constexpr int kNeverSpin = 0, kSpin = 1000;

class ThreadTeamTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Waits, ThreadTeamTest, ::testing::Values(kNeverSpin, kSpin),
                         [](const auto& test) { return test.param == kSpin ? "Spin" : "Sleep"; });

TEST_P(ThreadTeamTest, EveryPieceRunsOnceAndIsSeenByTheCaller) {
  ThreadTeam team(4, GetParam());
  ASSERT_EQ(team.size(), 4);
  std::vector<int> seen(4, 0);  // plain numbers: the team itself must hand them over
  for (int round = 1; round <= 2000; ++round) {
    const int pieces = 1 + round % 4;
    std::vector<int> expected = seen;
    for (int p = 0; p < pieces; ++p) expected[static_cast<size_t>(p)] += round;
    team.Run(pieces, [&](int p) { seen[static_cast<size_t>(p)] += round; });
    ASSERT_EQ(seen, expected) << round;
  }
}

TEST_P(ThreadTeamTest, PieceZeroIsTheCallersAndTheOthersHaveThreadsOfTheirOwn) {
  ThreadTeam team(3, GetParam());
  std::vector<std::thread::id> first(3), second(3);
  team.Run(3, [&](int p) { first[static_cast<size_t>(p)] = std::this_thread::get_id(); });
  team.Run(3, [&](int p) { second[static_cast<size_t>(p)] = std::this_thread::get_id(); });
  EXPECT_EQ(first, second);
  EXPECT_EQ(first[0], std::this_thread::get_id());
  EXPECT_NE(first[1], first[0]);
  EXPECT_NE(first[2], first[0]);
  EXPECT_NE(first[2], first[1]);
}

// Members that fell asleep, and a caller that falls asleep over a long piece, are woken.
TEST_P(ThreadTeamTest, PausesOfAnyLength) {
  ThreadTeam team(2, GetParam());
  int sum = 0;
  for (const int microseconds : {0, 1, 20, 30, 40, 500, 3000}) {
    for (const bool caller_is_slow : {true, false}) {
      std::vector<int> out(2, 0);
      std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
      team.Run(2, [&](int p) {
        if ((p == 0) == caller_is_slow)
          std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
        out[static_cast<size_t>(p)] = 1;
      });
      sum += out[0] + out[1];
    }
  }
  EXPECT_EQ(sum, 28);
}

TEST_P(ThreadTeamTest, WhatAPieceThrowsArrivesOnceAllHaveEnded) {
  ThreadTeam team(3, GetParam());
  for (int thrower = 0; thrower < 3; ++thrower) {
    std::atomic<int> ended = 0;
    EXPECT_THROW(team.Run(3,
                          [&](int p) {
                            if (p == thrower) throw std::bad_alloc();
                            std::this_thread::sleep_for(std::chrono::milliseconds(1));
                            ++ended;
                          }),
                 std::bad_alloc);
    EXPECT_EQ(ended, 2);
  }
  // Of several the first by number; and nothing is left over for the next loop.
  try {
    team.Run(3, [](int p) { throw std::runtime_error(std::to_string(p)); });
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "0");
  }
  int sum = 0;
  team.Run(1, [&](int) { ++sum; });
  EXPECT_EQ(sum, 1);
}

TEST_P(ThreadTeamTest, TeamsOfSeveralThreadsDoNotMeet) {
  std::vector<std::thread> owners;
  std::vector<int> sums(4, 0);
  for (size_t owner = 0; owner < 4; ++owner) {
    owners.emplace_back([&sums, owner] {
      ThreadTeam team(3, GetParam());
      std::vector<int> counts(3, 0);
      for (int round = 0; round < 300; ++round)
        team.Run(3, [&](int p) { ++counts[static_cast<size_t>(p)]; });
      sums[owner] = counts[0] + counts[1] + counts[2];
    });
  }
  for (std::thread& owner : owners) owner.join();
  EXPECT_EQ(sums, std::vector<int>(4, 900));
}

TEST_P(ThreadTeamTest, ComesAndGoesWithoutWork) {
  for (int i = 0; i < 50; ++i) {
    const ThreadTeam team(1 + i % 4, GetParam());
    EXPECT_EQ(team.size(), 1 + i % 4);
  }
}

}  // namespace
}  // namespace attend
