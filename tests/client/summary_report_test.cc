#include "client/report/summary_report.h"

#include <gtest/gtest.h>

namespace attend::client {
namespace {

SummaryView TwoSentences() {
  SummaryView view;
  view.text = "One. Two.";
  view.sentences.push_back({0, 4, 0.25f, 2, false, {}});
  view.sentences.push_back({5, 9, 0.75f, 1, true, {}});
  return view;
}

TEST(SummaryPage, APickedSentenceIsLinkedToThoseItReads) {
  SummaryView view = TwoSentences();
  view.attention = {0.5f, 0.5f, 0.75f, 0.25f};
  const ReportPage page = SummaryPage(view, "Two.");
  ASSERT_TRUE(page.summary.has_value());
  EXPECT_FALSE(page.summary->written.has_value());
  ASSERT_EQ(page.summary->source.sentences.size(), 2u);
  EXPECT_TRUE(page.summary->source.sentences[1].is_selected);
  EXPECT_EQ(page.summary->source.sentences[1].rank, 1u);
  EXPECT_EQ(page.summary->source.sentences[1].score, 0.75f);
  ASSERT_EQ(page.summary->links.size(), 1u);
  EXPECT_EQ(page.summary->links[0].from, 1u);
  EXPECT_EQ(page.summary->links[0].to, 0u);
  EXPECT_EQ(page.summary->links[0].weight, 0.75f);
}

TEST(SummaryPage, AWrittenSentenceIsLinkedToThoseItWasWrittenFrom) {
  SummaryView view = TwoSentences();
  for (SummarySentence& sentence : view.sentences) sentence.rank = 0;  // not scored
  view.written = {{0, 4, "New.", {{1, 0.5f}}}};
  const ReportPage page = SummaryPage(view, "New.");
  ASSERT_TRUE(page.summary && page.summary->written);
  EXPECT_EQ(page.summary->written->text, "New.");
  EXPECT_EQ(page.summary->written->sentences[0].end, 4u);
  EXPECT_FALSE(page.summary->source.sentences[0].score.has_value());
  ASSERT_EQ(page.summary->links.size(), 1u);
  EXPECT_EQ(page.summary->links[0].to, 1u);
}

}  // namespace
}  // namespace attend::client
