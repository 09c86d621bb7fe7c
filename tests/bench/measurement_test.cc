#include "bench/measurement.h"

#include <gtest/gtest.h>

namespace attend::bench {
namespace {

TEST(Percentile, LiesBetweenTheNearestValues) {
  EXPECT_DOUBLE_EQ(Percentile({4, 1, 3, 2}, 50), 2.5);
  EXPECT_DOUBLE_EQ(Percentile({4, 1, 3, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(Percentile({4, 1, 3, 2}, 100), 4);
  EXPECT_DOUBLE_EQ(Percentile({10, 20}, 95), 19.5);
  EXPECT_DOUBLE_EQ(Percentile({7}, 99), 7);
  EXPECT_DOUBLE_EQ(Percentile({}, 50), 0);
}

TEST(Rounded, KeepsSoManyDigits) {
  EXPECT_DOUBLE_EQ(Rounded(1.23456, 3), 1.235);
  EXPECT_DOUBLE_EQ(Rounded(1234.5, 0), 1235);
}

TEST(Memory, PeakIsAtLeastWhatIsResident) {
  EXPECT_GT(ResidentMb(), 1);
  EXPECT_GE(PeakResidentMb(), ResidentMb());
  EXPECT_EQ(ResidentMb(-1), 0);  // no such process
}

TEST(ForeignCpuMeter, CountsItsOwnTimeAsItsOwn) {
  const ForeignCpuMeter meter;
  while (meter.WallSeconds() < 0.2) {
  }
  EXPECT_GT(meter.OwnCores(), 0);
  EXPECT_LE(meter.OwnCores(), 1.05);
  EXPECT_GE(meter.ForeignCores(), 0);
}

TEST(SecondsSinceProcessStart, IsPositiveAndShort) {
  EXPECT_GE(SecondsSinceProcessStart(), 0);
  EXPECT_LT(SecondsSinceProcessStart(), 3600);
}

}  // namespace
}  // namespace attend::bench
