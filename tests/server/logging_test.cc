#include "server/logging.h"

#include "gtest/gtest.h"

namespace attend::server {
namespace {

TEST(LoggingTest, TextQuotesWhatNeedsIt) {
  EXPECT_EQ(FormatLogRecord(LogFormat::kText, "T", LogLevel::kInfo, "call",
                            {{"code", "OK"}, {"peer", "a b"}, {"empty", ""}, {"line", "x\ny"}}),
            "T info call code=OK peer=\"a b\" empty=\"\" line=\"x\\u000ay\"");
}

TEST(LoggingTest, JsonIsEscaped) {
  EXPECT_EQ(
      FormatLogRecord(LogFormat::kJson, "T", LogLevel::kError, "say \"hi\"", {{"path", "a\\b\tc"}}),
      "{\"time\":\"T\",\"level\":\"error\",\"message\":\"say "
      "\\\"hi\\\"\",\"path\":\"a\\\\b\\u0009c\"}");
}

TEST(LoggingTest, WhatIsNoUtf8IsReplaced) {
  const LogFields fields = {{"path", "caf\xE9"}};
  EXPECT_EQ(FormatLogRecord(LogFormat::kText, "T", LogLevel::kInfo, "read \xFF", fields),
            "T info read \xEF\xBF\xBD path=\"caf\xEF\xBF\xBD\"");
  EXPECT_EQ(FormatLogRecord(LogFormat::kJson, "T", LogLevel::kInfo, "read \xFF", fields),
            "{\"time\":\"T\",\"level\":\"info\",\"message\":\"read \xEF\xBF\xBD\","
            "\"path\":\"caf\xEF\xBF\xBD\"}");
}

TEST(LoggingTest, RecordsAreCounted) {
  const int64_t before = NumLogRecords(LogLevel::kError), hidden = NumLogRecords(LogLevel::kDebug);
  Log(LogLevel::kError, "a test's own record");
  Log(LogLevel::kDebug, "below the level");
  EXPECT_EQ(NumLogRecords(LogLevel::kError), before + 1);
  EXPECT_EQ(NumLogRecords(LogLevel::kDebug), hidden);
}

}  // namespace
}  // namespace attend::server
