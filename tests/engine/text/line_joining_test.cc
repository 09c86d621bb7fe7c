#include "engine/text/line_joining.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace attend {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Join(const std::string& text) {
  std::vector<std::string> blocks;
  for (const ByteSpan span : JoinLines(text))
    blocks.push_back(text.substr(span.begin, span.size()));
  return blocks;
}

// The lines of a text that stays as it is.
void ExpectApart(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  EXPECT_EQ(Join(text), lines) << text;
}

void ExpectJoined(const std::string& text) { EXPECT_THAT(Join(text), ElementsAre(text)); }

TEST(JoinLines, NothingAndOneLine) {
  EXPECT_THAT(Join(""), ElementsAre());
  EXPECT_THAT(Join(" \n\t\r\n"), ElementsAre());
  EXPECT_THAT(Join("  one line  "), ElementsAre("one line"));
}

TEST(JoinLines, FullLinesGoOn) {
  ExpectJoined(
      "The quick brown fox that we have met before jumps over the\n"
      "Lazy dog of the house, whatever the weather is outside and\n"
      "Whoever looks on.");
  ExpectJoined("He met with the new President of the United\nStates yesterday");
  // A third of the lines end early, as where letters have different widths.
  ExpectJoined(
      "It is set in letters of different widths, so that its\n"
      "Lines are not of one length in characters, one and\n"
      "Another is shorter than those on both of its sides.");
  // In a narrow column.
  ExpectJoined("A narrow column of a\nNewspaper has about\nThirty of them or so\nIn a line");
}

TEST(JoinLines, LowerCaseGoesOnWhateverTheWidth) {
  ExpectJoined("Roses are red,\nviolets are blue,\nsugar is sweet\nand so are you.");
  ExpectJoined("These are honest people of inter-\nnational trade.");
}

TEST(JoinLines, CarriageReturnsAreNoBlankLines) {
  ExpectJoined("It goes on over the\r\nline break\rtwice.");
  EXPECT_THAT(Join("It ends\r\n\r\nhere."), ElementsAre("It ends", "here."));
}

TEST(JoinLines, ChineseAndJapaneseLinesAreFullToTheLastCharacter) {
  ExpectJoined(
      "\u3053\u308C\u306F\u9577\u3044\u6587\u7AE0\u3067\u3059\u306E\u3067\u3001\u9014\u4E2D\u3067"
      "\u6539\u884C\u3055\u308C\u308B\u3053\u3068\u304C\u3042\n"
      "\u308A\u307E\u3059\u3002");
}

TEST(JoinLines, ShortLinesAreHeadings) {
  EXPECT_THAT(Join("A Short Title\nThe text was wrapped by hand at some fifty columns,\n"
                   "So that it goes on over line breaks."),
              ElementsAre("A Short Title",
                          "The text was wrapped by hand at some fifty columns,\n"
                          "So that it goes on over line breaks."));
  EXPECT_THAT(Join("A heading\n\nthat a blank line ends"),
              ElementsAre("A heading", "that a blank line ends"));
  ExpectApart({"INTRODUCTION OF WHAT HAS BEEN CALLED A PROBLEM", "We study the thing."});
  ExpectApart({"# Title", "Text goes here", "## 2.1 Methods", "more text"});
  ExpectApart({"A title", "=======", "Its text", "-----", "another"});
}

TEST(JoinLines, ListItemsStandAlone) {
  ExpectApart({"Shopping:", "- apples", "- pears and what else grows on trees in the garden of",
               "- plums"});
  ExpectApart({"1. First item", "2. Second item", "3) Third", "(a) Fourth", "iv. Fifth"});
  ExpectApart({"\u2022 apples that grow on the tree before the old house", "\u2022 pears"});
  ExpectApart({"2.1 Methods", "We did this to all of the people who had come in", "2.2 Results",
               "They did not like it"});
  EXPECT_THAT(Join("- pears and all that grows on trees in the garden\n  Of a neighbour\n- plums"),
              ElementsAre("- pears and all that grows on trees in the garden\n  Of a neighbour",
                          "- plums"));
  ExpectApart({"\u2014 Oui.", "\u2014 Non ?", "\u2014 Si !"});
}

TEST(JoinLines, NumbersAndDashesInRunningTextAreNoItems) {
  ExpectJoined(
      "The man who came to dinner was tall and very thin, he said to\n"
      "- or so it seemed to me - the people at the table, who did not\n"
      "listen to him. He had been born in the small house on August\n"
      "12. The year is not known.");
}

TEST(JoinLines, TableRowsStandAlone) {
  ExpectApart({"| a | b |", "|---|---|", "| one | two |", "and text"});
}

TEST(JoinLines, WideLinesAreParagraphs) {
  std::string paragraph = "It";
  while (paragraph.size() < 400) paragraph += " goes on and on";
  ExpectApart({"The Title", paragraph, "Second one", paragraph});
}

TEST(JoinLines, WhereLinesEndSentencesEachIsOne) {
  ExpectApart({"The room was clean and very quiet.", "The staff was friendly to us all.",
               "Great location in the middle of it", "would go again.", "The bed was hard.",
               "The breakfast was good!", "It was not cheap."});
}

TEST(JoinLines, LowerCaseSaysNothingWhereSentencesBeginSo) {
  ExpectApart({"room was clean", "staff was ok", "great location"});
}

}  // namespace
}  // namespace attend
