// Segments of a batch are there for all tokens or for none.
#include "engine/layers/ragged_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(RaggedBatch, SegmentsAreZeroWhereNobodyGaveAny) {
  RaggedBatch batch;
  const std::vector<int32_t> ids = {7, 8}, segments = {0, 1};
  batch.Add(ids);
  EXPECT_THAT(batch.segment_ids, IsEmpty());
  batch.Add(ids, segments);
  EXPECT_THAT(batch.segment_ids, ElementsAre(0, 0, 0, 1));
  batch.Add(ids);
  EXPECT_THAT(batch.segment_ids, ElementsAre(0, 0, 0, 1, 0, 0));
  EXPECT_THAT(batch.cumulative_lengths, ElementsAre(0, 2, 4, 6));
  batch.Clear();
  EXPECT_THAT(batch.segment_ids, IsEmpty());
  EXPECT_EQ(batch.num_sequences(), 0);
}

}  // namespace
}  // namespace attend
