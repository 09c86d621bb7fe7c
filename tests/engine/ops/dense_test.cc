// The linear operation: right over odd shapes, and the same bits for a row in any company.
#include "engine/ops/dense.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "engine/ops/onednn_dense.h"
#include "engine/ops/op_threads.h"
#include "engine/ops/simd_level.h"
#include "tests/engine/ops/reference_ops.h"
#include "tests/engine/ops/simd_level_fixture.h"

namespace attend {
namespace {

std::vector<float> RandomVector(int64_t n, uint32_t seed) {
  const Matrix m = RandomMatrix(1, n, seed);
  return {m.data(), m.data() + n};
}

PackedDense Make(const Matrix& weight, const std::vector<float>& bias,
                 std::optional<Activation> activation) {
  auto dense = PackedDense::Create(weight.view(), bias, activation);
  EXPECT_TRUE(dense.ok()) << dense.status();
  return *std::move(dense);
}

// One level for each kind of kernel that this processor has: ours for AVX-512 and AVX2, and oneDNN.
std::vector<std::string> Levels() {
  std::vector<std::string> levels;
  for (const std::string& level : SimdLevels()) {
    if (level == "AVX3" || level == "AVX2" || level == "SSE4") levels.push_back(level);
  }
  if (levels.empty()) levels.push_back(SimdLevels().back());
  return levels;
}

class EveryKernel : public SimdLevelFixture {};
INSTANTIATE_TEST_SUITE_P(Dense, EveryKernel, ::testing::ValuesIn(Levels()), NameOfLevel);

TEST_P(EveryKernel, EqualsTheReferenceOverOddShapes) {
  for (int64_t inputs : {1, 2, 7, 33, 64, 65, 257}) {
    for (int64_t outputs : {1, 17, 64, 130, 300}) {
      const Matrix weight = RandomMatrix(outputs, inputs, 1);
      const std::vector<float> bias = RandomVector(outputs, 2);
      const PackedDense dense = Make(weight, bias, std::nullopt);
      ASSERT_EQ(dense.inputs(), inputs);
      ASSERT_EQ(dense.outputs(), outputs);
      for (int64_t rows : {1, 2, 3, 4, 5, 9, 31, 65, 130}) {
        const Matrix in = RandomMatrix(rows, inputs, 3);
        Matrix out(rows, outputs);
        dense.Run(in.view(), out.view());
        const std::vector<double> expected =
            ReferenceDense(in.view(), weight.view(), bias, std::nullopt);
        const double tolerance = 1e-6 * std::sqrt(static_cast<double>(inputs)) * 8;
        for (int64_t i = 0; i < rows * outputs; ++i) {
          ASSERT_NEAR(out.data()[i], expected[static_cast<size_t>(i)], tolerance)
              << inputs << " x " << outputs << ", rows " << rows << ", element " << i;
        }
      }
    }
  }
}

TEST_P(EveryKernel, ActivationsAndAbsentBias) {
  const Matrix weight = RandomMatrix(40, 24, 4), in = RandomMatrix(11, 24, 5);
  for (std::optional<Activation> activation :
       {std::optional<Activation>(), std::optional(Activation::kRelu),
        std::optional(Activation::kGelu), std::optional(Activation::kGeluTanh),
        std::optional(Activation::kSilu)}) {
    for (const std::vector<float>& bias : {std::vector<float>(), RandomVector(40, 6)}) {
      const PackedDense dense = Make(weight, bias, activation);
      Matrix out(11, 40);
      dense.Run(in.view(), out.view());
      const std::vector<double> expected =
          ReferenceDense(in.view(), weight.view(), bias, activation);
      for (int64_t i = 0; i < 11 * 40; ++i) {
        ASSERT_NEAR(out.data()[i], expected[static_cast<size_t>(i)], 3e-5)
            << (activation ? Name(*activation) : "none");
      }
    }
  }
}

TEST(PackedDense, KernelsOfOursGiveTheSameBitsAndAgreeWithOneDnn) {
  const Matrix weight = RandomMatrix(200, 300, 13), in = RandomMatrix(20, 300, 14);
  const std::vector<float> bias = RandomVector(200, 15);
  auto reference = OneDnnDense::Create(weight.view(), bias, std::nullopt);
  ASSERT_TRUE(reference.ok()) << reference.status();
  Matrix expected(20, 200), first, out(20, 200);
  reference->Run(in.view(), expected.view());
  for (const std::string& level : Levels()) {
    LimitSimdLevel(level);
    const PackedDense dense = Make(weight, bias, std::nullopt);
    dense.Run(in.view(), out.view());
    for (int64_t i = 0; i < 20 * 200; ++i)
      ASSERT_NEAR(out.data()[i], expected.data()[i], 1e-4) << level;
    if (level != "AVX3" && level != "AVX2") continue;
    EXPECT_EQ(dense.kernel_name(), std::string(level == "AVX3" ? "panels:avx512" : "panels:avx2"));
    if (first.data() == nullptr) {
      first = RandomMatrix(20, 200, 0);
      std::copy_n(out.data(), 20 * 200, first.data());
    }
    EXPECT_EQ(std::memcmp(out.data(), first.data(), sizeof(float) * 20 * 200), 0) << level;
  }
  LimitSimdLevel("");
}

struct InvarianceShape {
  int64_t inputs, outputs;
  std::optional<Activation> activation;
};

class DenseInvariance : public ::testing::TestWithParam<std::tuple<InvarianceShape, std::string>> {
 protected:
  void SetUp() override { LimitSimdLevel(std::get<1>(GetParam())); }
  void TearDown() override { LimitSimdLevel(""); }
};

TEST_P(DenseInvariance, ARowHasTheSameBitsInAnyCompanyPlaceAndNumberOfThreads) {
  const InvarianceShape shape = std::get<0>(GetParam());
  const Matrix weight = RandomMatrix(shape.outputs, shape.inputs, 7);
  const PackedDense dense = Make(weight, RandomVector(shape.outputs, 8), shape.activation);
  constexpr int64_t kMost = 200;
  const Matrix in = RandomMatrix(kMost, shape.inputs, 9);
  Matrix alone(kMost, shape.outputs);
  for (int64_t r = 0; r < kMost; ++r) {
    dense.Run({in.row(r), 1, shape.inputs, shape.inputs}, alone.view().Rows(r, 1));
  }
  const bool large = shape.inputs * shape.outputs > 500000;
  Matrix out(kMost, shape.outputs);
  for (int threads : {1, 2}) {
    SetOpThreads(threads);
    for (int64_t rows = 1; rows <= kMost; rows += rows < 80 ? (large ? 3 : 1) : 41) {
      // Not always from the first row: the same row must not care for its place.
      for (int64_t first : {int64_t{0}, (kMost - rows) / 2, kMost - rows}) {
        dense.Run({in.row(first), rows, shape.inputs, shape.inputs}, out.view().Rows(0, rows));
        ASSERT_EQ(std::memcmp(out.data(), alone.row(first),
                              static_cast<size_t>(rows * shape.outputs) * sizeof(float)),
                  0)
            << rows << " rows from " << first << " with " << threads << " threads, kernel "
            << dense.kernel_name();
      }
    }
  }
  SetOpThreads(1);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, DenseInvariance,
    ::testing::Combine(::testing::Values(InvarianceShape{32, 96, std::nullopt},
                                         InvarianceShape{64, 32, std::nullopt},
                                         InvarianceShape{32, 64, Activation::kSilu},
                                         InvarianceShape{192, 768, Activation::kRelu},
                                         InvarianceShape{768, 192, std::nullopt},
                                         InvarianceShape{192, 1501, std::nullopt},
                                         InvarianceShape{37, 53, Activation::kGelu},
                                         InvarianceShape{512, 512, std::nullopt},
                                         InvarianceShape{1, 1, std::nullopt}),
                       ::testing::ValuesIn(Levels())),
    [](const auto& instance) {
      const InvarianceShape& shape = std::get<0>(instance.param);
      return std::to_string(shape.inputs) + "x" + std::to_string(shape.outputs) + "_" +
             std::get<1>(instance.param);
    });

TEST(PackedDense, RunsFromThreadsThatDidNotMakeIt) {
  const Matrix weight = RandomMatrix(300, 200, 10), in = RandomMatrix(50, 200, 11);
  const PackedDense dense = Make(weight, RandomVector(300, 12), Activation::kRelu);
  Matrix expected(50, 300);
  dense.Run(in.view(), expected.view());
  std::vector<Matrix> found(4);
  std::vector<std::thread> threads;
  for (Matrix& out : found) {
    threads.emplace_back([&] {
      out.Resize(50, 300);
      for (int i = 0; i < 20; ++i) dense.Run(in.view(), out.view());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Matrix& out : found) {
    EXPECT_EQ(std::memcmp(out.data(), expected.data(), sizeof(float) * 50 * 300), 0);
  }
}

TEST(PackedDense, NoRowsIsNothingToDo) {
  const PackedDense dense = Make(RandomMatrix(4, 4, 1), {}, std::nullopt);
  Matrix in(0, 4), out(0, 4);
  dense.Run(in.view(), out.view());
}

// How many kernels agree depends on the processor; that one is left does not.
TEST(OneDnnDense, HasAKernel) {
  const std::string description = OneDnnDescription();
  EXPECT_EQ(description.rfind("3.", 0), 0u) << description;
  const Matrix weight = RandomMatrix(192, 192, 1);
  const auto dense = OneDnnDense::Create(weight.view(), {}, std::nullopt);
  ASSERT_TRUE(dense.ok()) << dense.status();
  EXPECT_GE(dense->num_kernels(), 1);
  EXPECT_STRNE(dense->kernel_name(), "");
  EXPECT_GE(dense->packed_bytes(), 192 * 192 * 4);
}

TEST_P(EveryKernel, CountsItsBytes) {
  const PackedDense dense = Make(RandomMatrix(192, 192, 1), {}, std::nullopt);
  EXPECT_GE(dense.packed_bytes(), 192 * 192 * 4);
  EXPECT_STRNE(dense.kernel_name(), "");
}

}  // namespace
}  // namespace attend
