#include "client/progress_bar.h"

#include <gtest/gtest.h>

#include "client/text_width.h"

namespace attend::client {
namespace {

TEST(FormatProgress, ShowsShareRateAndTimeLeft) {
  Terminal terminal;
  terminal.columns = 60;
  const Progress progress = {250, 1000, 50, 0, 10};
  EXPECT_EQ(FormatProgress(progress, terminal),
            "██████░░░░░░░░░░░░░░░░░░░░░  25% 50 lines, 5.0/s, 0:30 left");
  terminal.unicode = false;
  EXPECT_EQ(FormatProgress(progress, terminal),
            "[######...................]  25% 50 lines, 5.0/s, 0:30 left");
}

TEST(FormatProgress, CountsFailures) {
  EXPECT_NE(FormatProgress({10, 10, 5, 2, 1}, Terminal()).find("5 lines, 2 failed"),
            std::string::npos);
}

TEST(FormatProgress, FitsEveryTerminal) {
  Terminal terminal;
  for (terminal.columns = 10; terminal.columns < 120; ++terminal.columns) {
    EXPECT_LT(DisplayWidth(FormatProgress({123456, 1234567890, 123456, 12, 12345}, terminal)),
              terminal.columns);
    EXPECT_LT(DisplayWidth(FormatProgress({0, 0, 0, 0, 0}, terminal)), terminal.columns);
  }
}

}  // namespace
}  // namespace attend::client
