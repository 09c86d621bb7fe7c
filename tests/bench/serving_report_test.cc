// What serving_bench makes of the calls that it noted.
#include "bench/serving_report.h"

#include <optional>

#include "gtest/gtest.h"

namespace attend::bench {
namespace {

using Json = nlohmann::ordered_json;

CallRecord Call(double latency, double engine, std::optional<double> health_check) {
  CallRecord call;
  call.latency = latency;
  call.engine_seconds = engine;
  call.health_check_seconds = health_check;
  return call;
}

Json Overhead(const LoadOutcome& outcome) {
  Json record;
  AddCalls(outcome, &record);
  AddOverhead(outcome, &record);
  return record;
}

TEST(ServingReportTest, AHealthCheckIsTakenOffTheCallThatItFollowed) {
  LoadOutcome outcome;
  outcome.calls = {Call(0.010, 0.006, 0.001), Call(0.020, 0.018, 0.0005),
                   Call(0.030, 0.021, 0.0085)};
  outcome.wall_seconds = 0.06;
  const Json record = Overhead(outcome);
  EXPECT_EQ(record["beyond_engine_ms"]["p50"], 4.0);  // of 4, 2, 9
  EXPECT_EQ(record["health_check_ms"]["p50"], 1.0);   // of 1, 0.5, 8.5
  // Of 3, 1.5, 0.5: not the difference of the two medians.
  EXPECT_EQ(record["beyond_health_check_ms"]["p50"], 1.5);
  EXPECT_EQ(record["beyond_health_check_ms"]["p95"], 2.85);
  EXPECT_EQ(record["req_s"], 50.0);
}

TEST(ServingReportTest, WhatFailedIsInNoFigure) {
  LoadOutcome outcome;
  outcome.calls = {Call(0.010, 0.006, 0.001), Call(0.020, 0.010, std::nullopt), Call(9, 0, 9)};
  outcome.calls[1].health_check_error = "UNAVAILABLE";
  outcome.calls[2].error = "INTERNAL";
  outcome.wall_seconds = 9;
  const Json record = Overhead(outcome);
  EXPECT_EQ(record["beyond_engine_ms"]["p50"], 7.0);  // the call itself was answered
  EXPECT_EQ(record["health_check_ms"]["p50"], 1.0);
  EXPECT_EQ(record["beyond_health_check_ms"]["p95"], 3.0);
  EXPECT_EQ(record["errors"], Json({{"INTERNAL", 1}, {"health_check:UNAVAILABLE", 1}}));
}

}  // namespace
}  // namespace attend::bench
