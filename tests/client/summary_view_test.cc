#include "client/summary_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace attend::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Terminal Pipe(bool unicode = true) {
  Terminal terminal;
  terminal.unicode = unicode;
  return terminal;
}

Terminal Colored(int columns = 80) {
  Terminal terminal;
  terminal.is_tty = true;
  terminal.columns = columns;
  terminal.color = ColorDepth::k256;
  return terminal;
}

// Three sentences, the second of two lines; the second and the third are picked.
SummaryView ThreeSentences() {
  SummaryView view;
  view.text = "# One here.\n\n\tTwo goes\non. Three.\n";
  const auto add = [&view](const std::string& sentence, float score, uint32_t rank, bool selected) {
    const std::size_t begin = view.text.find(sentence);
    view.sentences.push_back({begin, begin + sentence.size(), score, rank, selected, {}});
  };
  add("# One here.", 0.2f, 3, false);
  add("Two goes\non.", 0.5f, 1, true);
  add("Three.", 0.3f, 2, true);
  view.sentences[1].parts = {{"centrality", 1.25f}, {"position", -0.5f}};
  return view;
}

TEST(RenderHighlights, MarksStandInTheLayoutOfTheText) {
  EXPECT_EQ(RenderHighlights(ThreeSentences(), Pipe()),
            "# One here.\n\n\t\u00ABTwo goes\non.\u00BB \u00ABThree.\u00BB\n");
  EXPECT_EQ(RenderHighlights(ThreeSentences(), Pipe(/*unicode=*/false)),
            "# One here.\n\n\t[[Two goes\non.]] [[Three.]]\n");
}

TEST(RenderHighlights, ColourEndsBeforeEveryLineBreak) {
  const Terminal terminal = Colored();
  const std::string shown = RenderHighlights(ThreeSentences(), terminal);
  const std::string reset = ResetStyle(terminal.color), bold = Bold(terminal.color);
  EXPECT_THAT(shown, HasSubstr("Two goes" + reset + "\n" + bold));
  EXPECT_THAT(shown, HasSubstr("on." + reset + " " + bold));
  EXPECT_THAT(shown, Not(HasSubstr("\u00AB")));
  EXPECT_EQ(shown.rfind("# One here.\n", 0), 0u);
}

TEST(RenderHighlights, ATextCannotDriveTheTerminal) {
  SummaryView view;
  view.text = "a\x1b[2Jb\r\nc";
  view.sentences.push_back({0, view.text.size(), 1, 1, true, {}});
  const std::string shown = RenderHighlights(view, Pipe());
  EXPECT_EQ(shown, "\u00ABa\uFFFD[2Jb\nc\u00BB\n");
}

TEST(RenderHighlights, SpansThatDoNotFitAreLeftOut) {
  SummaryView view = ThreeSentences();
  view.sentences[1].end = 4000;
  view.sentences[2].begin = view.sentences[2].end;
  EXPECT_EQ(RenderHighlights(view, Pipe()), view.text);
  EXPECT_EQ(RenderHighlights(SummaryView(), Pipe()), "\n");
}

TEST(RenderScores, BestFirstWithPartsAndAStarForThoseKept) {
  EXPECT_EQ(RenderScores(ThreeSentences(), Pipe()),
            " RANK   SCORE  centrality  position  SENTENCE\n"
            "    1* 0.5000       +1.25     -0.50  Two goes on.\n"
            "    2* 0.3000                        Three.\n"
            "    3  0.2000                        # One here.\n");
}

TEST(RenderScores, ATerminalGetsNoLongerLinesThanItHas) {
  SummaryView view;
  view.text = std::string(300, 'x');
  view.sentences.push_back({0, 300, 1, 1, true, {}});
  EXPECT_THAT(RenderScores(view, Pipe()), HasSubstr(view.text));
  const std::string shown = RenderScores(view, Colored(40));
  EXPECT_THAT(shown, Not(HasSubstr(std::string(40, 'x'))));
  EXPECT_THAT(shown, HasSubstr("xxxx\u2026\n"));
}

TEST(RenderExplanation, SaysWhoReadsASentenceAndWhatItReads) {
  SummaryView view = ThreeSentences();
  view.attention = {0.1f, 0.7f, 0.2f,   // the first reads the second
                    0.6f, 0.1f, 0.3f,   // the second reads the first
                    0.0f, 0.9f, 0.1f};  // the third reads the second only
  EXPECT_EQ(RenderExplanation(view, Pipe()),
            "Two goes on.\n"
            "   rank 1, score 0.5000: centrality +1.25, position -0.50\n"
            "   read by     0.90  Three.\n"
            "               0.70  # One here.\n"
            "   reads       0.60  # One here.\n"
            "               0.30  Three.\n"
            "Three.\n"
            "   rank 2, score 0.3000\n"
            "   read by     0.30  Two goes on.\n"
            "               0.20  # One here.\n"
            "   reads       0.90  Two goes on.\n");
}

TEST(RenderExplanation, WithoutAMatrixThereAreTheScores) {
  SummaryView view = ThreeSentences();
  view.attention = {1, 2, 3};  // of no such text
  const std::string shown = RenderExplanation(view, Pipe());
  EXPECT_THAT(shown, HasSubstr("rank 2, score 0.3000\n"));
  EXPECT_THAT(shown, Not(HasSubstr("read")));
}

TEST(RenderExplanation, AWrittenSentenceNamesWhatItLeanedOn) {
  SummaryView view = ThreeSentences();
  view.written = {{0, 10, "It is\nnew.", {{1, 0.75f}, {7, 0.5f}, {0, 0.25f}}}};
  EXPECT_EQ(RenderExplanation(view, Pipe()),
            "It is new.\n"
            "   leans on    0.75  Two goes on.\n"
            "               0.25  # One here.\n");
}

}  // namespace
}  // namespace attend::client
