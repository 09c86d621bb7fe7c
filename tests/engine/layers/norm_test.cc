// The two placements of a norm around a sub-layer.
#include "engine/layers/norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

constexpr int64_t kHidden = 6;

class ResidualNormTest : public ::testing::Test {
 protected:
  ResidualNormTest() {
    folder_.Write("config.json", "{}");
    folder_.Write(
        "model.safetensors",
        SafetensorsFile({{"n.weight", "F32", "[6]", Floats({1, 2, 3, 4, 5, 6})},
                         {"n.bias", "F32", "[6]", Floats({.1f, .2f, .3f, .4f, .5f, .6f})}}));
    directory_.emplace(ModelDirectory::Open(folder_.path()).value());
    checkpoint_ = Checkpoint::Open(*directory_).value();
    for (int64_t i = 0; i < kHidden; ++i) {
      x_.data()[i] = static_cast<float>(i * i) - 3;
      sublayer_.data()[i] = static_cast<float>(7 - i);
    }
  }

  ResidualNorm Load(NormPlacement placement) {
    WeightReader reader(*checkpoint_);
    const WeightSource source(
        &reader, [](const std::string& name) { return std::vector<std::string>{name}; });
    return ResidualNorm::Load(source, "n", {kHidden, 1e-5f}, placement).value();
  }

  // norm(v) by the definition.
  static std::vector<double> Normed(const std::vector<double>& v) {
    double mean = 0, variance = 0;
    for (double x : v) mean += x / kHidden;
    for (double x : v) variance += (x - mean) * (x - mean) / kHidden;
    std::vector<double> out;
    for (size_t i = 0; i < v.size(); ++i) {
      const double n = static_cast<double>(i + 1);
      out.push_back((v[i] - mean) / std::sqrt(variance + 1e-5) * n + n / 10);
    }
    return out;
  }

  TemporaryFolder folder_;
  std::optional<ModelDirectory> directory_;
  std::unique_ptr<Checkpoint> checkpoint_;
  Matrix x_{1, kHidden}, sublayer_{1, kHidden}, scratch_;
};

TEST_F(ResidualNormTest, PostNormNormsTheSum) {
  const ResidualNorm norm = Load(NormPlacement::kPost);
  EXPECT_EQ(norm.Enter(x_.view(), &scratch_).data, x_.data());
  std::vector<double> sum;
  for (int64_t i = 0; i < kHidden; ++i)
    sum.push_back(static_cast<double>(x_.data()[i]) + sublayer_.data()[i]);
  norm.Leave(sublayer_.view(), x_.view());
  const std::vector<double> expected = Normed(sum);
  for (int64_t i = 0; i < kHidden; ++i)
    EXPECT_NEAR(x_.data()[i], expected[static_cast<size_t>(i)], 1e-5);
}

TEST_F(ResidualNormTest, PreNormNormsTheInputAndAdds) {
  const ResidualNorm norm = Load(NormPlacement::kPre);
  const ConstMatrixView entered = norm.Enter(x_.view(), &scratch_);
  std::vector<double> in, sum;
  for (int64_t i = 0; i < kHidden; ++i) {
    in.push_back(x_.data()[i]);
    sum.push_back(in.back() + sublayer_.data()[i]);
  }
  const std::vector<double> expected = Normed(in);
  for (int64_t i = 0; i < kHidden; ++i)
    EXPECT_NEAR(entered.row(0)[i], expected[static_cast<size_t>(i)], 1e-5);
  norm.Leave(sublayer_.view(), x_.view());
  for (int64_t i = 0; i < kHidden; ++i)
    EXPECT_FLOAT_EQ(x_.data()[i], static_cast<float>(sum[static_cast<size_t>(i)]));
}

// Without mean and bias: the stored bias is not even asked for.
TEST_F(ResidualNormTest, AnRmsNormDividesByTheRootMeanSquare) {
  WeightReader reader(*checkpoint_);
  std::vector<std::string> asked;
  const WeightSource source(&reader, [&](const std::string& name) {
    asked.push_back(name);
    return std::vector<std::string>{name};
  });
  const Norm norm = Norm::Load(source, "n", {kHidden, 1e-6f, NormKind::kRms}).value();
  EXPECT_EQ(asked, std::vector<std::string>{"n.weight"});
  double squares = 0;
  for (int64_t i = 0; i < kHidden; ++i) {
    const double sum = static_cast<double>(x_.data()[i]) + sublayer_.data()[i];
    squares += sum * sum / kHidden;
  }
  Matrix expected(1, kHidden);
  for (int64_t i = 0; i < kHidden; ++i) {
    expected.data()[i] =
        static_cast<float>((static_cast<double>(x_.data()[i]) + sublayer_.data()[i]) /
                           std::sqrt(squares + 1e-6) * static_cast<double>(i + 1));
  }
  norm.ApplyToSum(sublayer_.view(), x_.view());
  for (int64_t i = 0; i < kHidden; ++i) EXPECT_NEAR(x_.data()[i], expected.data()[i], 1e-5);
}

}  // namespace
}  // namespace attend
