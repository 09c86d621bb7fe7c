#include "engine/scheduler/engine_shape.h"

#include <tuple>

#include "gtest/gtest.h"

namespace attend {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kSmall = 16 * kMiB, kLarge = kSmall + 1;

using Shape = std::tuple<int, int>;  // engines, threads

Shape Choose(int cpus, int64_t weight_bytes, int engines = 0, int threads = 0,
             int64_t kv_cache_bytes = 512 * kMiB) {
  ShapeQuestion question;
  question.engines = engines;
  question.threads = threads;
  question.num_cpus = cpus;
  question.weight_bytes = weight_bytes;
  question.kv_cache_bytes = kv_cache_bytes;
  question.largest_request_bytes = 10 * kMiB;
  const EngineShape shape = ChooseShape(question);
  return {shape.engines, shape.threads};
}

TEST(EngineShape, OneCpuIsOneThread) {
  EXPECT_EQ(Choose(1, kSmall), Shape(1, 1));
  EXPECT_EQ(Choose(1, kLarge), Shape(1, 1));
  EXPECT_EQ(Choose(0, kLarge), Shape(1, 1));
}

TEST(EngineShape, SmallModelsGetEngines) {
  EXPECT_EQ(Choose(2, kSmall), Shape(2, 1));
  EXPECT_EQ(Choose(16, 0), Shape(16, 1));
}

TEST(EngineShape, LargeModelsGetThreadsUpToEight) {
  EXPECT_EQ(Choose(2, kLarge), Shape(1, 2));
  EXPECT_EQ(Choose(8, kLarge), Shape(1, 8));
  EXPECT_EQ(Choose(9, kLarge), Shape(2, 4));
  EXPECT_EQ(Choose(12, kLarge), Shape(2, 6));
  EXPECT_EQ(Choose(64, kLarge), Shape(8, 8));
}

TEST(EngineShape, TheCacheMustHoldTheLargestRequestInEachShare) {
  EXPECT_EQ(Choose(16, kSmall, 0, 0, 45 * kMiB), Shape(4, 1));
  EXPECT_EQ(Choose(16, kSmall, 0, 0, 1 * kMiB), Shape(1, 1));
  EXPECT_EQ(Choose(64, kLarge, 0, 0, 20 * kMiB), Shape(2, 8));
}

TEST(EngineShape, WhatIsAskedForIsDone) {
  EXPECT_EQ(Choose(2, kSmall, 5, 7, 1 * kMiB), Shape(5, 7));
}

TEST(EngineShape, TheOtherNumberFitsTheCpus) {
  EXPECT_EQ(Choose(8, kLarge, 2, 0), Shape(2, 4));
  EXPECT_EQ(Choose(8, kSmall, 2, 0), Shape(2, 1));
  EXPECT_EQ(Choose(2, kLarge, 4, 0), Shape(4, 1));
  EXPECT_EQ(Choose(8, kLarge, 0, 2), Shape(4, 2));
  EXPECT_EQ(Choose(8, kSmall, 0, 3), Shape(2, 3));
  EXPECT_EQ(Choose(2, kSmall, 0, 4), Shape(1, 4));
}

}  // namespace
}  // namespace attend
