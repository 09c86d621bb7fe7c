// The int8 linear operation: the integers are exact with every instruction set, and a row's bits
// are the same in any company.
#include "engine/ops/int8_dense.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "engine/ops/op_threads.h"
#include "engine/ops/quantize_rows.h"
#include "engine/ops/simd_level.h"
#include "tests/engine/ops/reference_ops.h"
#include "tests/engine/ops/simd_level_fixture.h"

namespace attend {
namespace {

std::vector<float> RandomVector(int64_t n, uint32_t seed) {
  const Matrix m = RandomMatrix(1, n, seed);
  return {m.data(), m.data() + n};
}

std::shared_ptr<const Int8Weight> Quantized(const Matrix& weight) {
  auto quantized = Int8Weight::Quantize(weight.view());
  EXPECT_TRUE(quantized.ok()) << quantized.status();
  return *quantized;
}

struct QuantizedRow {
  std::vector<int> q;
  float scale = 0;
};

// The rule of quantize_rows.h, written once more.
QuantizedRow QuantizeByRule(const float* row, int64_t n) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(row[i]));
  QuantizedRow out;
  out.scale = largest / 127.0f;
  const float factor = largest > 0 ? 127.0f / largest : 0.0f;
  for (int64_t i = 0; i < n; ++i)
    out.q.push_back(static_cast<int>(std::nearbyint(row[i] * factor)));
  return out;
}

// in * weight^T with both quantised by the rule and 64-bit sums.
Matrix Expected(const Matrix& in, const Matrix& weight, const std::vector<float>& bias) {
  Matrix out(in.rows(), weight.rows());
  for (int64_t r = 0; r < in.rows(); ++r) {
    const QuantizedRow a = QuantizeByRule(in.row(r), in.cols());
    for (int64_t o = 0; o < weight.rows(); ++o) {
      const QuantizedRow w = QuantizeByRule(weight.row(o), weight.cols());
      int64_t sum = 0;
      for (size_t i = 0; i < a.q.size(); ++i) sum += int64_t{a.q[i]} * w.q[i];
      const float product = static_cast<float>(sum) * (a.scale * w.scale);
      out.row(r)[o] = product + (bias.empty() ? 0.0f : bias[static_cast<size_t>(o)]);
    }
  }
  return out;
}

class EverySimdLevel : public SimdLevelFixture {};
INSTANTIATE_TEST_SUITE_P(Simd, EverySimdLevel, ::testing::ValuesIn(SimdLevels()), NameOfLevel);

TEST_P(EverySimdLevel, EqualsExactIntegerArithmetic) {
  for (int64_t inputs : {1, 3, 64, 100, 257}) {
    for (int64_t outputs : {1, 15, 16, 64, 83, 130}) {
      const Matrix weight = RandomMatrix(outputs, inputs, 1);
      const std::vector<float> bias = RandomVector(outputs, 2);
      const Int8Dense dense(Quantized(weight), bias, std::nullopt);
      for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 13, 130}) {
        const Matrix in = RandomMatrix(rows, inputs, 3);
        Matrix out(rows, outputs);
        dense.Run(in.view(), out.view());
        const Matrix expected = Expected(in, weight, bias);
        ASSERT_EQ(std::memcmp(out.data(), expected.data(),
                              static_cast<size_t>(rows * outputs) * sizeof(float)),
                  0)
            << inputs << " inputs, " << outputs << " outputs, " << rows << " rows, "
            << Int8KernelDescription();
      }
    }
  }
}

// The sums that break kernels which add pairs of products in 16 bits.
TEST_P(EverySimdLevel, ExtremesDoNotSaturate) {
  constexpr int64_t kInputs = 256, kOutputs = 32;
  for (float sign : {1.0f, -1.0f}) {
    Matrix weight(kOutputs, kInputs), in(2, kInputs);
    for (int64_t i = 0; i < kOutputs * kInputs; ++i) weight.data()[i] = 127.0f;
    for (int64_t i = 0; i < 2 * kInputs; ++i) in.data()[i] = 127.0f * sign;
    const Int8Dense dense(Quantized(weight), {}, std::nullopt);
    Matrix out(2, kOutputs);
    dense.Run(in.view(), out.view());
    for (int64_t i = 0; i < 2 * kOutputs; ++i)
      ASSERT_EQ(out.data()[i], sign * 127.0f * 127.0f * kInputs);
  }
}

TEST_P(EverySimdLevel, Activations) {
  const Matrix weight = RandomMatrix(40, 24, 4), in = RandomMatrix(11, 24, 5);
  const std::vector<float> bias = RandomVector(40, 6);
  const Matrix plain = Expected(in, weight, bias);
  for (Activation activation :
       {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kSilu}) {
    const Int8Dense dense(Quantized(weight), bias, activation);
    Matrix out(11, 40);
    dense.Run(in.view(), out.view());
    for (int64_t i = 0; i < 11 * 40; ++i) {
      ASSERT_NEAR(out.data()[i],
                  ReferenceActivation(activation, static_cast<double>(plain.data()[i])), 3e-6)
          << Name(activation) << " of " << plain.data()[i];
    }
  }
}

TEST_P(EverySimdLevel, ActivationsOfExtremes) {
  // One input of 1 and a weight of 1: the bias is what the activation sees.
  Matrix weight(4, 1), in(1, 1);
  weight.SetZero();
  in.data()[0] = 1;
  const std::vector<float> bias = {-1e30f, -100.0f, 100.0f, 1e30f};
  for (Activation activation :
       {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kSilu}) {
    const Int8Dense dense(Quantized(weight), bias, activation);
    Matrix out(1, 4);
    dense.Run(in.view(), out.view());
    EXPECT_NEAR(out.data()[0], 0.0f, 1e-6) << Name(activation);
    EXPECT_NEAR(out.data()[1], 0.0f, 1e-6) << Name(activation);
    EXPECT_EQ(out.data()[2], 100.0f) << Name(activation);
    EXPECT_EQ(out.data()[3], 1e30f) << Name(activation);
  }
}

TEST(Int8Dense, AllSimdLevelsGiveTheSameBits) {
  const Matrix weight = RandomMatrix(70, 96, 7), in = RandomMatrix(9, 96, 8);
  const std::vector<float> bias = RandomVector(70, 9);
  const Int8Dense dense(Quantized(weight), bias, Activation::kRelu);
  Matrix first;
  for (const std::string& level : SimdLevels()) {
    LimitSimdLevel(level);
    Matrix out(9, 70);
    dense.Run(in.view(), out.view());
    if (first.rows() == 0) {
      first = std::move(out);
    } else {
      EXPECT_EQ(std::memcmp(out.data(), first.data(), 9 * 70 * sizeof(float)), 0) << level;
    }
  }
  LimitSimdLevel("");
}

TEST(Int8Dense, ARowIsTheSameInAnyCompanyAndOnAnyNumberOfThreads) {
  constexpr int64_t kInputs = 256, kOutputs = 1000, kRows = 300;
  const Matrix weight = RandomMatrix(kOutputs, kInputs, 10);
  const Int8Dense dense(Quantized(weight), {}, Activation::kSilu);
  const Matrix in = RandomMatrix(kRows, kInputs, 11);
  Matrix alone(kRows, kOutputs);
  for (int64_t r = 0; r < kRows; ++r)
    dense.Run({in.row(r), 1, kInputs, kInputs}, alone.view().Rows(r, 1));
  for (int threads : {1, 2, 3}) {
    SetOpThreads(threads);
    for (int64_t rows : {2, 3, 7, 64, 129, 300}) {
      for (int64_t first = 0; first + rows <= kRows; first += 57) {
        Matrix out(rows, kOutputs);
        dense.Run({in.row(first), rows, kInputs, kInputs}, out.view());
        ASSERT_EQ(std::memcmp(out.data(), alone.row(first),
                              static_cast<size_t>(rows * kOutputs) * sizeof(float)),
                  0)
            << rows << " rows from " << first << ", " << threads << " threads";
      }
    }
  }
  SetOpThreads(1);
}

TEST(Int8Dense, IsCloseToFloatArithmetic) {
  constexpr int64_t kInputs = 512, kOutputs = 64, kRows = 16;
  const Matrix weight = RandomMatrix(kOutputs, kInputs, 12), in = RandomMatrix(kRows, kInputs, 13);
  const Int8Dense dense(Quantized(weight), {}, std::nullopt);
  Matrix out(kRows, kOutputs);
  dense.Run(in.view(), out.view());
  const std::vector<double> exact = ReferenceDense(in.view(), weight.view(), {}, std::nullopt);
  double error = 0, size = 0;
  for (int64_t i = 0; i < kRows * kOutputs; ++i) {
    const double difference = static_cast<double>(out.data()[i]) - exact[static_cast<size_t>(i)];
    error += difference * difference;
    size += exact[static_cast<size_t>(i)] * exact[static_cast<size_t>(i)];
  }
  EXPECT_LT(std::sqrt(error / size), 0.02);
}

// A result that is not a number must not turn into one.
TEST_P(EverySimdLevel, WhatIsNotFiniteStaysSo) {
  const Matrix weight = RandomMatrix(20, 70, 14);
  const Int8Dense dense(Quantized(weight), {}, std::nullopt);
  for (float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (int64_t place : {0, 37, 69}) {
      Matrix in = RandomMatrix(3, 70, 15);
      in.row(1)[place] = bad;
      Matrix out(3, 20);
      dense.Run(in.view(), out.view());
      for (int64_t o = 0; o < 20; ++o) {
        ASSERT_TRUE(std::isfinite(out.row(0)[o]));
        ASSERT_FALSE(std::isfinite(out.row(1)[o])) << bad << " at " << place;
        ASSERT_TRUE(std::isfinite(out.row(2)[o]));
      }
    }
  }
}

TEST_P(EverySimdLevel, ZerosAndTinyNumbers) {
  Matrix weight = RandomMatrix(20, 70, 16), in(3, 70);
  in.SetZero();
  for (int64_t i = 0; i < 70; ++i) {
    in.row(1)[i] = i % 2 == 0 ? 1e-42f : -1e-42f;  // smaller than normal numbers
    in.row(2)[i] = i % 2 == 0 ? 3e38f : -3e38f;
    weight.row(3)[i] = 0;
  }
  const Int8Dense dense(Quantized(weight), {}, std::nullopt);
  Matrix out(3, 20);
  dense.Run(in.view(), out.view());
  for (int64_t o = 0; o < 20; ++o) {
    EXPECT_EQ(out.row(0)[o], 0.0f);
    EXPECT_NEAR(out.row(1)[o], 0.0f, 1e-35);
  }
  EXPECT_EQ(out.row(2)[3], 0.0f);
}

TEST(Int8Weight, RowsComeBackWithinHalfAStep) {
  const Matrix weight = RandomMatrix(37, 50, 17);
  const auto quantized = Quantized(weight);
  std::vector<float> row(50);
  for (int64_t o = 0; o < 37; ++o) {
    quantized->Row(o, row.data());
    const float half = quantized->parts().scales[static_cast<size_t>(o)] * 0.5001f;
    for (int64_t i = 0; i < 50; ++i)
      ASSERT_NEAR(row[static_cast<size_t>(i)], weight.row(o)[i], half);
  }
}

TEST(Int8Weight, BorrowedPartsComputeTheSame) {
  const Matrix weight = RandomMatrix(37, 50, 18), in = RandomMatrix(4, 50, 19);
  const auto own = Quantized(weight);
  auto borrowed = Int8Weight::Borrow(50, 37, own->parts(), own);
  ASSERT_TRUE(borrowed.ok()) << borrowed.status();
  Matrix a(4, 37), b(4, 37);
  Int8Dense(own, {}, std::nullopt).Run(in.view(), a.view());
  Int8Dense(*borrowed, {}, std::nullopt).Run(in.view(), b.view());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), 4 * 37 * sizeof(float)), 0);
}

TEST(Int8Weight, PartsOfAnotherShapeAreRefused) {
  const auto own = Quantized(RandomMatrix(37, 50, 20));
  EXPECT_FALSE(Int8Weight::Borrow(65, 37, own->parts(), own).ok());
  EXPECT_FALSE(Int8Weight::Borrow(50, 49, own->parts(), own).ok());
  Int8WeightParts parts = own->parts();
  parts.scales.remove_suffix(1);
  EXPECT_FALSE(Int8Weight::Borrow(50, 37, parts, own).ok());
  parts = own->parts();
  parts.sums.remove_suffix(1);
  EXPECT_FALSE(Int8Weight::Borrow(50, 37, parts, own).ok());
}

}  // namespace
}  // namespace attend
