#include "client/terminal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>

namespace attend::client {
namespace {

Environment FakeEnvironment(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> const char* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  };
}

TEST(ChooseColor, AutoNeedsATerminalThatWantsColor) {
  const Environment xterm = FakeEnvironment({{"TERM", "xterm"}});
  EXPECT_EQ(ChooseColor(ColorChoice::kAuto, true, xterm), ColorDepth::k256);
  EXPECT_EQ(ChooseColor(ColorChoice::kAuto, false, xterm), ColorDepth::kNone);
  EXPECT_EQ(ChooseColor(ColorChoice::kAuto, true, FakeEnvironment({{"TERM", "dumb"}})),
            ColorDepth::kNone);
  EXPECT_EQ(ChooseColor(ColorChoice::kAuto, true, FakeEnvironment({})), ColorDepth::kNone);
  EXPECT_EQ(ChooseColor(ColorChoice::kAuto, true,
                        FakeEnvironment({{"TERM", "xterm"}, {"NO_COLOR", "1"}})),
            ColorDepth::kNone);
  // The convention: an empty NO_COLOR counts as unset.
  EXPECT_EQ(
      ChooseColor(ColorChoice::kAuto, true, FakeEnvironment({{"TERM", "xterm"}, {"NO_COLOR", ""}})),
      ColorDepth::k256);
  EXPECT_EQ(ChooseColor(ColorChoice::kAuto, true,
                        FakeEnvironment({{"TERM", "xterm"}, {"COLORTERM", "truecolor"}})),
            ColorDepth::kTrueColor);
}

TEST(ChooseColor, FlagsWinOverTheEnvironment) {
  const Environment no_color = FakeEnvironment({{"TERM", "dumb"}, {"NO_COLOR", "1"}});
  EXPECT_EQ(ChooseColor(ColorChoice::kAlways, false, no_color), ColorDepth::k256);
  EXPECT_EQ(ChooseColor(ColorChoice::kNever, true, FakeEnvironment({{"TERM", "xterm"}})),
            ColorDepth::kNone);
}

TEST(DescribeTerminal, TakesTheWidthFromColumnsWhenItIsSensible) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const auto columns = [&](const char* value) {
    return DescribeTerminal(pipe_fds[1], ColorChoice::kAuto, FakeEnvironment({{"COLUMNS", value}}))
        .columns;
  };
  EXPECT_EQ(columns("132"), 132);
  EXPECT_EQ(columns("0"), 80);
  EXPECT_EQ(columns("-5"), 80);
  EXPECT_EQ(columns("wide"), 80);
  EXPECT_EQ(columns("99999999999999999999"), 80);
  EXPECT_TRUE(
      DescribeTerminal(pipe_fds[1], ColorChoice::kAuto, FakeEnvironment({{"LANG", "de_DE.UTF-8"}}))
          .unicode);
  EXPECT_FALSE(DescribeTerminal(pipe_fds[1], ColorChoice::kAuto,
                                FakeEnvironment({{"LANG", "de_DE.ISO-8859-1"}}))
                   .unicode);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(NearestPaletteColor, HitsCubeAndGreys) {
  EXPECT_EQ(NearestPaletteColor({0, 0, 0}), 16);
  EXPECT_EQ(NearestPaletteColor({255, 255, 255}), 231);
  EXPECT_EQ(NearestPaletteColor({255, 0, 0}), 196);
  EXPECT_EQ(NearestPaletteColor({118, 118, 118}), 243);
}

}  // namespace
}  // namespace attend::client
