#include "client/attention_view.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <string>

#include "client/text_width.h"

namespace attend::client {
namespace {

Terminal Plain(int columns) {
  Terminal terminal;
  terminal.columns = columns;
  return terminal;
}

HeatMap CatMap() {
  HeatMap map;
  map.title = "cross attention";
  map.row_labels = {"Le", "chat"};
  map.column_labels = {"The", "cat", "."};
  map.weights = {0.81f, 0.12f, 0.002f, 0.05f, 0.9f, 0.05f};
  return map;
}

TEST(RenderHeatMap, ShowsNumbersAndShadesWithoutColor) {
  EXPECT_EQ(RenderHeatMap(CatMap(), Plain(80)),
            "cross attention\n"
            "      The  cat    .\n"
            "  Le  81█  12░   ·\n"
            "chat   5   90█   5\n");
}

TEST(RenderHeatMap, UsesOnlyAsciiWhereTheLocaleAsksForIt) {
  Terminal terminal = Plain(80);
  terminal.unicode = false;
  EXPECT_EQ(RenderHeatMap(CatMap(), terminal),
            "cross attention\n"
            "     The cat   .\n"
            "  Le  81  12   .\n"
            "chat   5  90   5\n");
}

TEST(RenderHeatMap, ContinuesInBlocksWhenTheTerminalIsNarrow) {
  EXPECT_EQ(RenderHeatMap(CatMap(), Plain(14)),
            "cross attention\n"
            "columns 1-2 of 3\n"
            "      The  cat\n"
            "  Le  81█  12░\n"
            "chat   5   90█\n"
            "\n"
            "columns 3-3 of 3\n"
            "        .\n"
            "  Le   ·\n"
            "chat   5\n");
}

TEST(RenderHeatMap, NeverGoesBeyondTheTerminal) {
  HeatMap map;
  for (int i = 0; i < 40; ++i) {
    map.column_labels.push_back(i % 3 == 0 ? "漢字のとても長い単語です"
                                           : "word" + std::to_string(i));
    map.row_labels.push_back(map.column_labels.back());
  }
  map.weights.assign(40 * 40, 0.025f);
  for (const int columns : {20, 33, 80, 200}) {
    std::istringstream lines(RenderHeatMap(map, Plain(columns)));
    for (std::string line; std::getline(lines, line);)
      EXPECT_LE(DisplayWidth(line), columns) << line;
  }
}

TEST(RenderHeatMap, LeavesDroppedWeightsBlank) {
  HeatMap map = CatMap();
  map.weights[1] = std::numeric_limits<float>::quiet_NaN();
  Terminal terminal = Plain(80);
  terminal.unicode = false;
  EXPECT_EQ(RenderHeatMap(map, terminal),
            "cross attention\n"
            "     The cat   .\n"
            "  Le  81       .\n"
            "chat   5  90   5\n");
}

TEST(RenderHeatMap, ShadesTilesInColor) {
  HeatMap map;
  map.row_labels = {"a"};
  map.column_labels = {"b", "c"};
  map.weights = {1.0f, 0.0f};
  Terminal terminal = Plain(80);
  terminal.color = ColorDepth::kTrueColor;
  // The largest weight is bright with black text, nothing at all is dark with white text.
  EXPECT_EQ(RenderHeatMap(map, terminal),
            "\x1b[1m    b   c\x1b[0m\n"
            "\x1b[1ma\x1b[0m "
            "\x1b[48;2;252;255;164m\x1b[38;2;0;0;0m100\x1b[0m "
            "\x1b[48;2;24;15;62m\x1b[38;2;255;255;255m  ·\x1b[0m\n");
}

TEST(RenderHeatMap, LabelsCannotDriveTheTerminal) {
  HeatMap map = CatMap();
  map.column_labels[0] = "\x1b[2J";
  EXPECT_EQ(RenderHeatMap(map, Plain(80)).find('\x1b'), std::string::npos);
}

TEST(RenderHeatMap, AnEmptyMapIsOnlyItsTitle) {
  HeatMap map;
  map.title = "nothing";
  EXPECT_EQ(RenderHeatMap(map, Plain(80)), "nothing\n");
}

}  // namespace
}  // namespace attend::client
