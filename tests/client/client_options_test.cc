#include "client/client_options.h"

#include <gtest/gtest.h>

namespace attend::client {
namespace {

TEST(TargetOf, AddsAPortWhereThereIsNone) {
  EXPECT_EQ(TargetOf("localhost"), "localhost:50051");
  EXPECT_EQ(TargetOf("10.0.0.1:7000"), "10.0.0.1:7000");
  EXPECT_EQ(TargetOf("::1"), "[::1]:50051");
  EXPECT_EQ(TargetOf("[::1]"), "[::1]:50051");
  EXPECT_EQ(TargetOf("[::1]:7000"), "[::1]:7000");
  EXPECT_EQ(TargetOf("unix:/run/attend.sock"), "unix:/run/attend.sock");
  EXPECT_EQ(TargetOf("dns:///attend.example:50051"), "dns:///attend.example:50051");
}

TEST(IsLocalAddress, KnowsThisMachine) {
  EXPECT_TRUE(IsLocalAddress("127.0.0.1:50051"));
  EXPECT_TRUE(IsLocalAddress("localhost"));
  EXPECT_TRUE(IsLocalAddress("unix:/tmp/x"));
  EXPECT_FALSE(IsLocalAddress("example.org:50051"));
}

TEST(InRange, TakesNumbersOnly) {
  for (std::string text : {"nan", "inf", "-inf", "-1", "5.1", "1e999", "", " ", "1s", "x"}) {
    EXPECT_NE(InRange(0.5, 5)(text), "") << text;
  }
  for (std::string text : {"0.5", "5", "1e0"}) EXPECT_EQ(InRange(0.5, 5)(text), "") << text;
}

TEST(Finite, RefusesWhatComparesWithNothing) {
  for (std::string text : {"nan", "inf", "-inf", "x"}) EXPECT_NE(Finite()(text), "") << text;
  for (std::string text : {"-1", "0.25"}) EXPECT_EQ(Finite()(text), "") << text;
}

TEST(ModelResourceName, TakesBothSpellings) {
  EXPECT_EQ(ModelResourceName("en-fr"), "models/en-fr");
  EXPECT_EQ(ModelResourceName("models/en-fr"), "models/en-fr");
  EXPECT_EQ(ModelResourceName(""), "");
}

}  // namespace
}  // namespace attend::client
