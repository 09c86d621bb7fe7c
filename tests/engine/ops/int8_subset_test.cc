// A subset's slots hold the very bits of the whole layer.
#include "engine/ops/int8_subset.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "engine/ops/simd_level.h"
#include "tests/engine/ops/reference_ops.h"
#include "tests/engine/ops/simd_level_fixture.h"

namespace attend {
namespace {

class Int8SubsetTest : public SimdLevelFixture {};
INSTANTIATE_TEST_SUITE_P(Simd, Int8SubsetTest, ::testing::ValuesIn(SimdLevels()), NameOfLevel);

Int8Dense MakeDense(int64_t outputs, int64_t inputs) {
  const Matrix bias = RandomMatrix(1, outputs, 2);
  return Int8Dense(*Int8Weight::Quantize(RandomMatrix(outputs, inputs, 1).view()),
                   {bias.data(), static_cast<size_t>(outputs)}, std::nullopt);
}

TEST_P(Int8SubsetTest, SlotsHoldTheBitsOfTheWholeLayer) {
  constexpr int64_t kOutputs = 150;
  std::mt19937 random(5);
  for (const int64_t inputs : {7, 64, 130}) {
    const Int8Dense dense = MakeDense(kOutputs, inputs);
    Int8Subset subset(&dense);
    std::vector<int64_t> outputs;                       // of each slot
    for (const int64_t slots : {1, 17, 90, 33, 160}) {  // also more slots than outputs
      outputs.resize(static_cast<size_t>(slots), -1);
      subset.Resize(slots);
      for (int64_t slot = 0; slot < slots; ++slot) {
        if (random() % 3 == 0 && outputs[static_cast<size_t>(slot)] >= 0) continue;  // stays
        outputs[static_cast<size_t>(slot)] = static_cast<int64_t>(random() % kOutputs);
        subset.Place(slot, outputs[static_cast<size_t>(slot)]);
      }
      for (const int64_t rows : {1, 4, 7, 40}) {
        const Matrix in = RandomMatrix(rows, inputs, 3);
        Matrix whole(rows, kOutputs), part(rows, slots);
        dense.Run(in.view(), whole.view());
        subset.Run(in.view(), part.view());
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t slot = 0; slot < slots; ++slot)
            ASSERT_EQ(part.row(r)[slot], whole.row(r)[outputs[static_cast<size_t>(slot)]]);
        }
      }
    }
  }
}

TEST_P(Int8SubsetTest, NewSlotsGiveZeros) {
  const Int8Dense dense = MakeDense(20, 32);
  Int8Subset subset(&dense);
  const Matrix in = RandomMatrix(2, 32, 3);
  Matrix out(2, 20);
  subset.Resize(20);
  for (int64_t slot = 0; slot < 20; ++slot) subset.Place(slot, slot);
  subset.Resize(2);
  subset.Resize(20);
  subset.Run(in.view(), out.view());
  EXPECT_NE(out.row(1)[1], 0.0f);
  for (int64_t slot = 2; slot < 20; ++slot) EXPECT_EQ(out.row(1)[slot], 0.0f);
}

}  // namespace
}  // namespace attend
