#include "client/alignment_view.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "client/text_width.h"

namespace attend::client {
namespace {

// "The cat sleeps." / "Le chat dort."; the full stops are not words here.
Alignment CatAlignment() {
  Alignment alignment;
  alignment.source = {"The cat sleeps.", {{"The", 0, 3}, {"cat", 4, 7}, {"sleeps", 8, 14}}};
  alignment.target = {"Le chat dort.", {{"Le", 0, 2}, {"chat", 3, 7}, {"dort", 8, 12}}};
  alignment.links = {{0, 0, 0.9f}, {1, 1, 0.8f}, {2, 2, 0.7f}};
  return alignment;
}

Terminal Plain(int columns) {
  Terminal terminal;
  terminal.columns = columns;
  return terminal;
}

TEST(RenderAlignment, NumbersLinkedWords) {
  EXPECT_EQ(RenderAlignment(CatAlignment(), Plain(80)),
            "  The¹ cat² sleeps³.\n"
            "  Le¹ chat² dort³.\n");
}

TEST(RenderAlignment, ShowsSeveralLinksAndNone) {
  Alignment alignment = CatAlignment();
  alignment.links = {{0, 1, 0.2f}, {2, 1, 0.7f}};
  EXPECT_EQ(RenderAlignment(alignment, Plain(80)),
            "  The¹ cat sleeps².\n"
            "  Le chat¹·² dort.\n");
  Terminal ascii = Plain(80);
  ascii.unicode = false;
  EXPECT_EQ(RenderAlignment(alignment, ascii),
            "  The[1] cat sleeps[2].\n"
            "  Le chat[1,2] dort.\n");
}

TEST(RenderAlignment, ColorsATargetWordLikeItsStrongestSource) {
  Alignment alignment = CatAlignment();
  alignment.links = {{0, 1, 0.2f}, {2, 1, 0.7f}};
  Terminal terminal = Plain(80);
  terminal.color = ColorDepth::kTrueColor;
  const std::string map = RenderAlignment(alignment, terminal);
  EXPECT_NE(map.find("\x1b[38;2;215;95;0msleeps²\x1b[0m"), std::string::npos) << map;
  EXPECT_NE(map.find("\x1b[38;2;215;95;0mchat¹·²\x1b[0m"), std::string::npos) << map;
  EXPECT_NE(map.find("\x1b[2mcat\x1b[0m"), std::string::npos) << map;
}

TEST(RenderAlignment, WrapsBetweenWords) {
  std::istringstream lines(RenderAlignment(CatAlignment(), Plain(20)));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), 20) << line;
  EXPECT_EQ(RenderAlignment(CatAlignment(), Plain(20)),
            "  The¹ cat² sleeps³.\n"
            "  Le¹ chat² dort³.\n");
  Alignment wide;
  wide.source = {"東京に行きます",
                 {{"東京", 0, 6}, {"に", 6, 9}, {"行き", 9, 15}, {"ます", 15, 21}}};
  wide.target = {"I go to Tokyo", {{"I", 0, 1}, {"go", 2, 4}, {"to", 5, 7}, {"Tokyo", 8, 13}}};
  wide.links = {{0, 3, 1}, {1, 2, 1}, {2, 1, 1}, {3, 1, 0.5f}};
  EXPECT_EQ(RenderAlignment(wide, Plain(20)),
            "  東京¹に²行き³ます⁴\n"
            "  I go³·⁴ to² Tokyo¹\n");
}

TEST(RenderAlignment, SurvivesSpansAndLinksOutOfRange) {
  Alignment alignment = CatAlignment();
  alignment.source.words[2].end = 400;
  alignment.links.push_back({7, 0, 1});
  alignment.links.push_back({0, 9, 1});
  EXPECT_EQ(RenderAlignment(alignment, Plain(80)),
            "  The¹ cat² sleeps³\n"
            "  Le¹ chat² dort³.\n");
}

TEST(FormatPharaoh, SortsBySourceAndDropsRepeats) {
  EXPECT_EQ(FormatPharaoh({{1, 2, 0.5f}, {0, 0, 0.9f}, {10, 3, 0.4f}, {1, 0, 0.1f}, {0, 0, 0.2f}}),
            "0-0 1-0 1-2 10-3");
  EXPECT_EQ(FormatPharaoh({}), "");
}

}  // namespace
}  // namespace attend::client
