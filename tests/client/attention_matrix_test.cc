#include <gtest/gtest.h>

#include <cmath>

#include "client/attention_axes.h"
#include "client/attention_stream.h"

namespace attend::client {
namespace {

using attend::v1::ATTENTION_GRANULARITY_TOKEN;
using attend::v1::ATTENTION_GRANULARITY_WORD;

attend::v1::Attention Axes() {
  attend::v1::Attention axes;
  for (const char* piece : {"▁The", "▁c", "at"}) axes.add_source_tokens()->set_piece(piece);
  for (const char* text : {"The", "cat"}) axes.add_source_words()->set_text(text);
  axes.add_target_tokens()->set_piece("▁Le");
  axes.add_target_words()->set_text("Le");
  return axes;
}

attend::v1::AttentionMatrix Dense(uint32_t rows, uint32_t columns, std::vector<float> weights) {
  attend::v1::AttentionMatrix matrix;
  matrix.set_kind(attend::v1::ATTENTION_KIND_CROSS);
  matrix.set_row_count(rows);
  matrix.set_column_count(columns);
  matrix.mutable_dense()->mutable_weights()->Add(weights.begin(), weights.end());
  return matrix;
}

TEST(ToHeatMap, LabelsWhatTheMatrixCounts) {
  const auto words = ToHeatMap(Axes(), Dense(1, 2, {0.4f, 0.6f}), ATTENTION_GRANULARITY_WORD);
  ASSERT_TRUE(words.has_value());
  EXPECT_EQ(words->column_labels, (std::vector<std::string>{"The", "cat"}));
  EXPECT_EQ(words->row_labels, (std::vector<std::string>{"Le"}));
  const auto tokens =
      ToHeatMap(Axes(), Dense(1, 3, {0.4f, 0.3f, 0.3f}), ATTENTION_GRANULARITY_TOKEN);
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->column_labels, (std::vector<std::string>{"▁The", "▁c", "at"}));
  const auto neither = ToHeatMap(Axes(), Dense(1, 4, {0, 0, 0, 1}), ATTENTION_GRANULARITY_WORD);
  ASSERT_TRUE(neither.has_value());
  EXPECT_EQ(neither->column_labels[3], "#3");
}

TEST(ToHeatMap, RefusesMatricesThatContradictThemselves) {
  EXPECT_FALSE(ToHeatMap(Axes(), Dense(2, 2, {1, 2, 3}), ATTENTION_GRANULARITY_WORD).has_value());
  EXPECT_FALSE(ToHeatMap(Axes(), Dense(4000000000u, 4000000000u, {1}), ATTENTION_GRANULARITY_WORD)
                   .has_value());
  attend::v1::AttentionMatrix sparse = Dense(1, 2, {});
  sparse.mutable_sparse()->add_row_offsets(0);
  sparse.mutable_sparse()->add_row_offsets(1);
  sparse.mutable_sparse()->add_columns(5);
  sparse.mutable_sparse()->add_weights(0.5f);
  EXPECT_FALSE(ToHeatMap(Axes(), sparse, ATTENTION_GRANULARITY_WORD).has_value());
  sparse.mutable_sparse()->set_columns(0, 1);
  const auto map = ToHeatMap(Axes(), sparse, ATTENTION_GRANULARITY_WORD);
  ASSERT_TRUE(map.has_value());
  EXPECT_TRUE(std::isnan(map->weights[0]));
  EXPECT_EQ(map->weights[1], 0.5f);
}

attend::v1::AttentionSlice Slice(uint32_t first_row, attend::v1::AttentionMatrix matrix) {
  attend::v1::AttentionSlice slice;
  slice.set_first_row(first_row);
  *slice.mutable_matrix() = std::move(matrix);
  return slice;
}

TEST(MatrixAssembler, JoinsSlicesAndSeparatesMatrices) {
  MatrixAssembler assembler;
  std::string problem;
  EXPECT_FALSE(assembler.Add(Slice(0, Dense(2, 2, {1, 2, 3, 4})), &problem).has_value());
  EXPECT_FALSE(assembler.Add(Slice(2, Dense(1, 2, {5, 6})), &problem).has_value());
  const auto first = assembler.Add(Slice(0, Dense(1, 2, {7, 8})), &problem);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->row_count(), 3u);
  EXPECT_EQ(first->dense().weights_size(), 6);
  EXPECT_EQ(first->dense().weights(5), 6.0f);
  const auto last = assembler.Finish();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->dense().weights(1), 8.0f);
  EXPECT_FALSE(assembler.Finish().has_value());
  EXPECT_EQ(problem, "");
}

TEST(MatrixAssembler, JoinsSparseSlices) {
  const auto sparse_row = [](uint32_t column, float weight) {
    attend::v1::AttentionMatrix matrix = Dense(1, 3, {});
    matrix.mutable_sparse()->add_row_offsets(0);
    matrix.mutable_sparse()->add_row_offsets(1);
    matrix.mutable_sparse()->add_columns(column);
    matrix.mutable_sparse()->add_weights(weight);
    return matrix;
  };
  MatrixAssembler assembler;
  std::string problem;
  assembler.Add(Slice(0, sparse_row(2, 0.5f)), &problem);
  assembler.Add(Slice(1, sparse_row(0, 0.25f)), &problem);
  const auto matrix = assembler.Finish();
  ASSERT_TRUE(matrix.has_value());
  const auto map = ToHeatMap(Axes(), *matrix, ATTENTION_GRANULARITY_TOKEN);
  ASSERT_TRUE(map.has_value());
  EXPECT_EQ(map->weights[2], 0.5f);
  EXPECT_EQ(map->weights[3], 0.25f);
}

TEST(MatrixAssembler, NoticesAGap) {
  MatrixAssembler assembler;
  std::string problem;
  assembler.Add(Slice(0, Dense(1, 2, {1, 2})), &problem);
  assembler.Add(Slice(2, Dense(1, 2, {1, 2})), &problem);
  EXPECT_NE(problem, "");
  problem.clear();
  MatrixAssembler empty;
  empty.Add(Slice(1, Dense(1, 2, {1, 2})), &problem);
  EXPECT_NE(problem, "");
}

}  // namespace
}  // namespace attend::client
