#include "client/report/attention_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace attend::client {
namespace {

using attend::v1::ATTENTION_GRANULARITY_WORD;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kNoLimit = 1 << 20;

attend::v1::Attention Axes() {
  attend::v1::Attention axes;
  for (const char* text : {"The", "cat"}) axes.add_source_words()->set_text(text);
  axes.add_target_words()->set_text("Le");
  return axes;
}

attend::v1::AttentionMatrix Cross(std::vector<float> weights) {
  attend::v1::AttentionMatrix matrix;
  matrix.set_kind(attend::v1::ATTENTION_KIND_CROSS);
  matrix.set_row_count(1);
  matrix.set_column_count(static_cast<uint32_t>(weights.size()));
  matrix.mutable_dense()->mutable_weights()->Add(weights.begin(), weights.end());
  return matrix;
}

attend::v1::AttentionMatrix HeadOf(uint32_t layer, uint32_t head, std::vector<float> weights) {
  attend::v1::AttentionMatrix matrix = Cross(std::move(weights));
  matrix.mutable_head()->set_layer(layer);
  matrix.mutable_head()->set_head(head);
  return matrix;
}

std::vector<std::string> Names(const ReportKind& kind) {
  std::vector<std::string> names;
  for (const ReportMap& map : kind.maps) names.push_back(map.name);
  return names;
}

double WeightOf(const ReportMap& map, std::size_t i) { return map.weights[i] / 65534.0; }

TEST(AttentionReportBuilder, AddsMeansOfAllHeadsAndOfEachLayer) {
  AttentionReportBuilder builder(ATTENTION_GRANULARITY_WORD, kNoLimit);
  EXPECT_EQ(builder.Add(Axes(), HeadOf(0, 0, {1, 0}), ""), "");
  EXPECT_EQ(builder.Add(Axes(), HeadOf(0, 1, {0.5f, 0.5f}), ""), "");
  EXPECT_EQ(builder.Add(Axes(), HeadOf(1, 0, {0, 1}), ""), "");
  EXPECT_EQ(builder.Add(Axes(), Cross({0.25f, 0.75f}), "alignment heads"), "");
  const std::vector<ReportKind> kinds = builder.Finish();
  ASSERT_EQ(kinds.size(), 1u);
  EXPECT_EQ(kinds[0].name, "cross");
  EXPECT_THAT(kinds[0].row_labels, ElementsAre("Le"));
  EXPECT_THAT(kinds[0].column_labels, ElementsAre("The", "cat"));
  EXPECT_THAT(Names(kinds[0]),
              ElementsAre("alignment heads", "mean of 3 heads", "mean of 2 heads",
                          "layer 0, head 0", "layer 0, head 1", "layer 1, head 0"));
  EXPECT_NEAR(WeightOf(kinds[0].maps[1], 0), 0.5, 1e-4);
  EXPECT_NEAR(WeightOf(kinds[0].maps[2], 0), 0.75, 1e-4);
  EXPECT_EQ(kinds[0].maps[2].layer, 0u);
  EXPECT_FALSE(kinds[0].maps[2].head.has_value());
}

TEST(AttentionReportBuilder, WeightsThatWereNotKeptCountAsZero) {
  attend::v1::AttentionMatrix sparse;
  sparse.set_kind(attend::v1::ATTENTION_KIND_CROSS);
  sparse.set_row_count(1);
  sparse.set_column_count(2);
  sparse.mutable_head();
  sparse.mutable_sparse()->add_row_offsets(0);
  sparse.mutable_sparse()->add_row_offsets(1);
  sparse.mutable_sparse()->add_columns(1);
  sparse.mutable_sparse()->add_weights(0.8f);
  AttentionReportBuilder builder(ATTENTION_GRANULARITY_WORD, kNoLimit);
  EXPECT_EQ(builder.Add(Axes(), sparse, ""), "");
  EXPECT_EQ(builder.Add(Axes(), HeadOf(0, 1, {1, 0}), ""), "");
  const std::vector<ReportKind> kinds = builder.Finish();
  EXPECT_THAT(Names(kinds[0]),
              ElementsAre("mean of 2 heads", "layer 0, head 0", "layer 0, head 1"));
  EXPECT_NEAR(WeightOf(kinds[0].maps[0], 0), 0.5, 1e-4);
  EXPECT_NEAR(WeightOf(kinds[0].maps[0], 1), 0.4, 1e-4);
  EXPECT_EQ(kinds[0].maps[1].weights[0], kReportNotKept);
}

TEST(AttentionReportBuilder, HeadsBeyondTheLimitAreInTheMeansOnly) {
  AttentionReportBuilder builder(ATTENTION_GRANULARITY_WORD, /*map_bytes=*/5);
  for (uint32_t head = 0; head < 4; ++head)
    EXPECT_EQ(builder.Add(Axes(), HeadOf(0, head, {head == 3 ? 1.0f : 0.0f, 0}), ""), "");
  const std::vector<ReportKind> kinds = builder.Finish();
  EXPECT_THAT(Names(kinds[0]),
              ElementsAre("mean of 4 heads", "layer 0, head 0", "layer 0, head 1"));
  EXPECT_EQ(kinds[0].num_left_out, 2u);
  EXPECT_NEAR(WeightOf(kinds[0].maps[0], 0), 0.25, 1e-4);
}

TEST(AttentionReportBuilder, NamesWhatIsWrong) {
  AttentionReportBuilder builder(ATTENTION_GRANULARITY_WORD, kNoLimit);
  attend::v1::AttentionMatrix wrong = Cross({1, 0});
  wrong.set_row_count(7);
  EXPECT_THAT(builder.Add(Axes(), wrong, ""), HasSubstr("contradict"));
  EXPECT_EQ(builder.Add(Axes(), Cross({1, 0}), "fold"), "");
  EXPECT_THAT(builder.Add(Axes(), Cross({1, 0, 0}), "fold"), HasSubstr("different sizes"));
}

}  // namespace
}  // namespace attend::client
