// Embedding look-up.
#include "engine/ops/gather_rows.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/engine/ops/reference_ops.h"

namespace attend {
namespace {

TEST(GatherScaledSum, TakesScalesAndAdds) {
  const Matrix table = RandomMatrix(11, 7, 1), addends = RandomMatrix(5, 7, 2);
  const std::vector<int32_t> ids = {10, 0, 10, 3}, rows = {0, 4, 1, 1};
  Matrix out(4, 7);
  GatherScaledSum(table.view(), ids, 2.5f, addends.view(), rows, out.view());
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t c = 0; c < 7; ++c) {
      EXPECT_FLOAT_EQ(out.row(i)[c], table.row(ids[static_cast<size_t>(i)])[c] * 2.5f +
                                         addends.row(rows[static_cast<size_t>(i)])[c]);
    }
  }
}

TEST(GatherScaledSum, WithoutAddendsOnlyScales) {
  const Matrix table = RandomMatrix(11, 7, 1);
  const std::vector<int32_t> ids = {10, 0, 3};
  Matrix out(3, 7);
  GatherScaledSum(table.view(), ids, 2.5f, {}, {}, out.view());
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t c = 0; c < 7; ++c)
      EXPECT_EQ(out.row(i)[c], table.row(ids[static_cast<size_t>(i)])[c] * 2.5f);
  }
}

TEST(AddGatheredRows, Adds) {
  const Matrix table = RandomMatrix(3, 7, 1);
  const std::vector<int32_t> rows = {2, 0, 2, 1};
  Matrix out = RandomMatrix(4, 7, 2);
  const Matrix before = RandomMatrix(4, 7, 2);
  AddGatheredRows(table.view(), rows, out.view());
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t c = 0; c < 7; ++c)
      EXPECT_EQ(out.row(i)[c], before.row(i)[c] + table.row(rows[static_cast<size_t>(i)])[c]);
  }
}

TEST(GatherScaledSumDeathTest, AnIdOutsideTheTableIsABug) {
  const Matrix table = RandomMatrix(3, 2, 1);
  Matrix out(1, 2);
  const std::vector<int32_t> zero = {0};
  for (int32_t bad : {-1, 3}) {
    const std::vector<int32_t> ids = {bad};
    EXPECT_DEATH(GatherScaledSum(table.view(), ids, 1, table.view(), zero, out.view()),
                 "outside the vocabulary");
    EXPECT_DEATH(GatherScaledSum(table.view(), zero, 1, table.view(), ids, out.view()),
                 "outside the table");
  }
}

}  // namespace
}  // namespace attend
