#include "client/summary_printer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace attend::client {
namespace {

namespace v1 = attend::v1;
using Json = nlohmann::json;

const CallCost kCost{v1::Usage::default_instance(), 1};
const std::string kSource = "One. Two.";

v1::Summary Picked() {
  v1::Summary summary;
  summary.set_text("One.\nTwo.");
  summary.set_text_kind(v1::TEXT_KIND_NEWS);
  summary.set_model_revision("models/m@1");
  for (uint32_t i = 0; i < 2; ++i) {
    v1::ScoredSentence* sentence = summary.add_sentences();
    sentence->mutable_span()->set_start(5 * i);
    sentence->mutable_span()->set_end(5 * i + 4);
    sentence->set_score(i == 0 ? 0.75f : 0.25f);
    sentence->set_rank(i + 1);
    sentence->set_selected(i == 0);
  }
  v1::ScorePart* part = summary.mutable_sentences(0)->add_parts();
  part->set_name("centrality");
  part->set_value(1.5f);
  return summary;
}

v1::Summary Written() {
  v1::Summary summary;
  summary.set_text("New. Text.");
  summary.set_finish_reason(v1::FINISH_REASON_END_OF_SEQUENCE);
  for (uint32_t i = 0; i < 2; ++i) {
    v1::ScoredSentence* sentence = summary.add_sentences();
    sentence->mutable_span()->set_start(5 * i);
    sentence->mutable_span()->set_end(5 * i + 4);
  }
  v1::SentenceSupport* support = summary.add_supports();
  support->mutable_summary()->set_end(4);
  support->add_sentence_indices(1);
  support->add_weights(0.5f);
  return summary;
}

std::string Print(const v1::Summary& summary, SummaryFormat format, int64_t line = 0) {
  return FormatSummary({line, kSource}, summary, kCost, format, Terminal());
}

TEST(FormatSummary, ALineOfTheInputStaysALine) {
  EXPECT_EQ(Print(Picked(), SummaryFormat::kPlain), "One.\nTwo.\n");
  EXPECT_EQ(Print(Picked(), SummaryFormat::kPlain, 3), "One. Two.\n");
}

TEST(FormatSummary, JsonOfAPickedSummary) {
  const Json json = Json::parse(Print(Picked(), SummaryFormat::kJson, 3));
  EXPECT_EQ(json["line"], 3);
  EXPECT_EQ(json["source"], kSource);
  EXPECT_EQ(json["text_kind"], "news");
  EXPECT_EQ(json["sentences"][0],
            Json::parse(R"({"span": [0, 4], "score": 0.75, "rank": 1, "selected": true,
                            "parts": {"centrality": 1.5}})"));
  EXPECT_EQ(json["sentences"][1]["selected"], false);
  EXPECT_FALSE(json.contains("supports") || json.contains("sentence_attention"));
  EXPECT_TRUE(json.contains("timing"));
}

TEST(FormatSummary, JsonOfAWrittenSummary) {
  const Json json = Json::parse(Print(Written(), SummaryFormat::kJson));
  EXPECT_EQ(json["sentences"][1], Json::parse(R"({"span": [5, 9]})"));
  EXPECT_EQ(json["supports"],
            Json::parse(R"([{"span": [0, 4], "sentences": [1], "weights": [0.5]}])"));
  EXPECT_EQ(json["finish_reason"], "END_OF_SEQUENCE");
  EXPECT_FALSE(json.contains("text_kind"));
}

TEST(FormatSummary, HighlightsShowWhatAWrittenSummaryLeanedOn) {
  EXPECT_EQ(Print(Picked(), SummaryFormat::kHighlights), "\u00ABOne.\u00BB Two.\n");
  EXPECT_EQ(Print(Written(), SummaryFormat::kHighlights), "One. \u00ABTwo.\u00BB\n");
  EXPECT_EQ(Print(Written(), SummaryFormat::kExplanation), "New.\n   leans on    0.50  Two.\n");
}

TEST(ViewOf, ASparseMatrixIsFilledUpAndAWrongOneLeftOut) {
  v1::Summary summary = Picked();
  v1::AttentionMatrix* matrix = summary.mutable_sentence_attention();
  matrix->set_row_count(2);
  matrix->set_column_count(2);
  for (const uint32_t offset : {0u, 1u, 9u}) matrix->mutable_sparse()->add_row_offsets(offset);
  for (const uint32_t column : {1u, 0u, 7u}) matrix->mutable_sparse()->add_columns(column);
  for (const float weight : {0.5f, 0.25f, 0.125f}) matrix->mutable_sparse()->add_weights(weight);
  EXPECT_EQ(ViewOf(kSource, summary).attention, (std::vector<float>{0, 0.5f, 0.25f, 0}));
  matrix->set_row_count(3);
  EXPECT_TRUE(ViewOf(kSource, summary).attention.empty());
}

TEST(ViewOf, SupportsThatDoNotFitAreLeftOut) {
  v1::Summary summary = Written();
  summary.mutable_supports(0)->set_sentence_indices(0, 99);
  v1::SentenceSupport* support = summary.add_supports();
  support->mutable_summary()->set_start(3);
  support->mutable_summary()->set_end(999);
  const SummaryView view = ViewOf(kSource, summary);
  EXPECT_EQ(view.written.size(), 1u);
  EXPECT_FALSE(view.sentences[0].is_selected || view.sentences[1].is_selected);
}

}  // namespace
}  // namespace attend::client
