// Sinusoids against values of transformers' MarianSinusoidalPositionalEmbedding (4.48, computed in
// float64, stored as float32).
#include "engine/layers/position_encoding.h"

#include <gtest/gtest.h>

#include <cmath>

namespace attend {
namespace {

TEST(SinusoidalHalves, HasSinesThenCosines) {
  const Matrix table = MakePositionTable(PositionEncoding::kSinusoidalHalves, {0, 512}, 6).value();
  ASSERT_EQ(table.rows(), 512);
  ASSERT_EQ(table.cols(), 6);
  const float first[] = {0, 0, 0, 1, 1, 1};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(table.row(0)[i], first[i]);
  const float at_1[] = {0.841470957f, 0.0463992245f, 0.00215443294f,
                        0.540302277f, 0.998923004f,  0.999997675f};
  for (int i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(table.row(1)[i], at_1[i]);
  const float at_100[] = {-0.506365657f, -0.997494698f,  0.213780671f,
                          0.862318873f,  -0.0707410127f, 0.976881683f};
  for (int i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(table.row(100)[i], at_100[i]);
  const float at_511[] = {0.881770372f,  -0.987767279f, 0.891622543f,
                          -0.471678883f, 0.155935079f,  0.452779472f};
  for (int i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(table.row(511)[i], at_511[i]);
}

TEST(SinusoidalHalves, AnOddWidthHasOneMoreSine) {
  const Matrix table = MakePositionTable(PositionEncoding::kSinusoidalHalves, {0, 3}, 5).value();
  EXPECT_EQ(table.row(1)[0], static_cast<float>(std::sin(1.0)));
  EXPECT_EQ(table.row(1)[3], static_cast<float>(std::cos(1.0)));
  EXPECT_EQ(table.row(2)[2], static_cast<float>(std::sin(2.0 / std::pow(10000.0, 0.8))));
  EXPECT_EQ(table.row(2)[4], static_cast<float>(std::cos(2.0 / std::pow(10000.0, 0.4))));
}

// Values of M2M100SinusoidalPositionalEmbedding (4.48, computed in float32).
TEST(SinusoidalTensor2Tensor, EndsInOneTenThousandth) {
  const Matrix table =
      MakePositionTable(PositionEncoding::kSinusoidalTensor2Tensor, {0, 512}, 8).value();
  const float first[] = {0, 0, 0, 0, 1, 1, 1, 1};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(table.row(0)[i], first[i]);
  const float at_1[] = {0.8414709568f, 0.0463992283f, 0.0021544332f, 0.0000999999990f,
                        0.5403023362f, 0.9989229441f, 0.9999976754f, 1.0f};
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(table.row(1)[i], at_1[i], 1e-6);
  const float at_511[] = {0.8817703724f,  -0.9877669811f, 0.8916225433f, 0.0510777570f,
                          -0.4716788828f, 0.1559372246f,  0.4527794421f, 0.9986946583f};
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(table.row(511)[i], at_511[i], 1e-5);
}

TEST(SinusoidalTensor2Tensor, AnOddWidthEndsInZero) {
  const Matrix table =
      MakePositionTable(PositionEncoding::kSinusoidalTensor2Tensor, {2, 3}, 5).value();
  EXPECT_EQ(table.rows(), 3);
  EXPECT_EQ(table.row(0)[4], 0.0f);
  EXPECT_FLOAT_EQ(table.row(0)[0], std::sin(2.0f));
  EXPECT_FLOAT_EQ(table.row(2)[2], std::cos(4.0f));
}

}  // namespace
}  // namespace attend
