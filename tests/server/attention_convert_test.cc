#include "server/convert/attention_convert.h"

#include "gtest/gtest.h"

namespace attend::server {
namespace {

AttentionResult Dense(int rows, int columns) {
  AttentionMatrix matrix;
  matrix.rows = rows;
  matrix.columns = columns;
  for (int i = 0; i < rows * columns; ++i) matrix.weights.push_back(static_cast<float>(i));
  AttentionResult result;
  result.matrices = {matrix, matrix};
  return result;
}

TEST(PlanSlicesTest, WholeRowsWithinTheLimit) {
  const AttentionResult result = Dense(10, 25);  // 100 bytes a row
  const std::vector<SliceRange> slices = PlanSlices(result, 300);
  ASSERT_EQ(slices.size(), 8u);  // 3 + 3 + 3 + 1 rows, twice
  std::vector<float> joined;
  for (const SliceRange& range : slices) {
    attend::v1::AttentionSlice slice;
    SliceToProto(result, range, &slice);
    EXPECT_LE(slice.matrix().dense().weights_size(), 75);
    EXPECT_EQ(slice.first_row(), static_cast<uint32_t>(range.first_row));
    if (range.matrix == 0)
      joined.insert(joined.end(), slice.matrix().dense().weights().begin(),
                    slice.matrix().dense().weights().end());
  }
  EXPECT_EQ(joined, result.matrices[0].weights);
}

TEST(PlanSlicesTest, ARowAboveTheLimitIsASliceOfItsOwn) {
  EXPECT_EQ(PlanSlices(Dense(3, 100), 10).size(), 6u);
  EXPECT_EQ(PlanSlices(Dense(0, 4), 10).size(), 2u) << "an empty matrix is told too";
  EXPECT_TRUE(PlanSlices(AttentionResult(), 10).empty());
}

TEST(PlanSlicesTest, SparseSlicesCountTheirOwnEntries) {
  AttentionMatrix matrix;
  matrix.rows = 3;
  matrix.columns = 9;
  matrix.sparse = true;
  matrix.row_offsets = {0, 2, 2, 5};
  matrix.column_indices = {8, 1, 3, 4, 5};
  matrix.weights = {0.6f, 0.4f, 0.5f, 0.3f, 0.2f};
  AttentionResult result;
  result.matrices = {matrix};
  EXPECT_EQ(WeightBytes(result), 40);
  attend::v1::AttentionSlice slice;
  SliceToProto(result, {0, 1, 2}, &slice);
  const auto& sparse = slice.matrix().sparse();
  EXPECT_EQ(std::vector<uint32_t>(sparse.row_offsets().begin(), sparse.row_offsets().end()),
            (std::vector<uint32_t>{0, 0, 3}));
  EXPECT_EQ(sparse.columns(0), 3u);
  EXPECT_EQ(sparse.weights_size(), 3);
}

TEST(SelectionTest, EnumsOfTheFutureAreRefused) {
  attend::v1::AttentionSelection selection;
  selection.add_kinds(attend::v1::ATTENTION_KIND_CROSS);
  EXPECT_TRUE(ParseAttentionSelection(selection).ok());
  selection.set_reduction(static_cast<attend::v1::AttentionReduction>(50));
  EXPECT_FALSE(ParseAttentionSelection(selection).ok());
  selection.clear_reduction();
  selection.set_granularity(static_cast<attend::v1::AttentionGranularity>(50));
  EXPECT_FALSE(ParseAttentionSelection(selection).ok());
  selection.clear_granularity();
  selection.add_kinds(attend::v1::ATTENTION_KIND_CROSS);
  EXPECT_FALSE(ParseAttentionSelection(selection).ok()) << "a kind twice";
}

}  // namespace
}  // namespace attend::server
