// What may be drawn, how often, and that a seed means the same draws for ever.
#include "engine/generation/sampler.h"

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace attend {
namespace {

using ::testing::ElementsAre;

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> LogOf(const std::vector<double>& probabilities) {
  std::vector<float> scores;
  for (const double p : probabilities) scores.push_back(static_cast<float>(std::log(p)) - 2.0f);
  return scores;
}

std::map<int32_t, int> Draw(const SamplingOptions& options, const std::vector<float>& scores,
                            int n) {
  Sampler sampler(options, 0);
  std::map<int32_t, int> counts;
  for (int i = 0; i < n; ++i) ++counts[sampler.Sample(scores)];
  return counts;
}

// Pearson's statistic of n draws against the probabilities expected.
double ChiSquare(const std::map<int32_t, int>& counts, const std::map<int32_t, double>& expected,
                 int n) {
  double statistic = 0;
  for (const auto& [token, p] : expected) {
    const auto found = counts.find(token);
    const double count = found == counts.end() ? 0 : found->second;
    statistic += (count - n * p) * (count - n * p) / (n * p);
  }
  for (const auto& [token, count] : counts)
    EXPECT_EQ(expected.count(token), 1u) << "drew " << token;
  return statistic;
}

constexpr int kDraws = 20000;
constexpr double kBound =
    18.5;  // chance of a larger statistic with 4 degrees of freedom: 0.001; the seed is fixed

TEST(SamplerTest, DrawsByProbability) {
  SamplingOptions options;
  options.seed = 7;
  const std::vector<float> scores = LogOf({0.5, 0.25, 0.15, 0.07, 0.03});
  EXPECT_LT(ChiSquare(Draw(options, scores, kDraws),
                      {{0, .5}, {1, .25}, {2, .15}, {3, .07}, {4, .03}}, kDraws),
            kBound);
}

TEST(SamplerTest, TemperatureSharpensAndFlattens) {
  SamplingOptions options;
  options.seed = 8;
  options.temperature = 0.5f;  // squares the odds
  const std::vector<float> scores = LogOf({0.6, 0.3, 0.1});
  EXPECT_LT(ChiSquare(Draw(options, scores, kDraws),
                      {{0, .36 / .46}, {1, .09 / .46}, {2, .01 / .46}}, kDraws),
            kBound);
  options.temperature = 2.0f;  // takes their roots
  const double sum = std::sqrt(.6) + std::sqrt(.3) + std::sqrt(.1);
  EXPECT_LT(
      ChiSquare(Draw(options, scores, kDraws),
                {{0, std::sqrt(.6) / sum}, {1, std::sqrt(.3) / sum}, {2, std::sqrt(.1) / sum}},
                kDraws),
      kBound);
}

TEST(SamplerTest, TopK) {
  SamplingOptions options;
  options.top_k = 2;
  const std::vector<float> scores = LogOf({0.1, 0.4, 0.1, 0.3, 0.1});
  EXPECT_LT(ChiSquare(Draw(options, scores, kDraws), {{1, 4. / 7}, {3, 3. / 7}}, kDraws), kBound);
  options.top_k = 3;  // what ties with the third stays, as with transformers
  EXPECT_LT(ChiSquare(Draw(options, scores, kDraws), {{0, .1}, {1, .4}, {2, .1}, {3, .3}, {4, .1}},
                      kDraws),
            kBound);
  options.top_k = 1;
  EXPECT_EQ(Draw(options, scores, 100).size(), 1u);
  options.top_k = 100;
  EXPECT_EQ(Draw(options, scores, kDraws).size(), 5u);
}

TEST(SamplerTest, TopP) {
  SamplingOptions options;
  options.top_k = 0;
  options.top_p = 0.75f;  // 0.4 + 0.3 is not enough, so one more
  const std::vector<float> scores = LogOf({0.06, 0.4, 0.2, 0.3, 0.04});
  EXPECT_LT(
      ChiSquare(Draw(options, scores, kDraws), {{1, 4. / 9}, {3, 3. / 9}, {2, 2. / 9}}, kDraws),
      kBound);
  options.top_p = 0.69f;
  EXPECT_LT(ChiSquare(Draw(options, scores, kDraws), {{1, 4. / 7}, {3, 3. / 7}}, kDraws), kBound);
  options.top_p = 0.001f;  // the best always stays
  EXPECT_EQ(Draw(options, scores, 100).size(), 1u);
}

TEST(SamplerTest, TopPCountsTheMassLeftByTopK) {
  SamplingOptions options;
  options.top_k = 3;
  options.top_p = 0.7f;  // of {.4, .3, .2} / .9: .444 + .333 reaches it
  const std::vector<float> scores = LogOf({0.06, 0.4, 0.2, 0.3, 0.04});
  EXPECT_LT(ChiSquare(Draw(options, scores, kDraws), {{1, 4. / 7}, {3, 3. / 7}}, kDraws), kBound);
}

TEST(SamplerTest, BannedTokensAndExtremesNeverBreakIt) {
  SamplingOptions options;
  EXPECT_EQ(Draw(options, {-kInf, 1.0f, -kInf}, 50).begin()->first, 1);
  EXPECT_EQ(Draw(options, {-kInf, -kInf}, 5).begin()->first, 0);
  EXPECT_EQ(Draw(options, {std::nanf(""), std::nanf(""), 1.0f}, 50).begin()->first, 2);
  options.top_k = 1;
  EXPECT_EQ(Draw(options, {std::nanf(""), 2.0f, 1.0f}, 50).begin()->first, 1);
  options.top_k = 0;
  options.temperature = 1e-30f;
  EXPECT_EQ(Draw(options, {3e38f, -3e38f, 1.0f}, 50).begin()->first, 0);
}

TEST(SamplerTest, SeedsAndStreamsSeparate) {
  const std::vector<float> scores(1000, 0.0f);
  const auto draw = [&](uint64_t seed, uint64_t stream) {
    SamplingOptions options;
    options.seed = seed;
    options.top_k = 0;
    Sampler sampler(options, stream);
    std::vector<int32_t> tokens;
    for (int i = 0; i < 4; ++i) tokens.push_back(sampler.Sample(scores));
    return tokens;
  };
  EXPECT_EQ(draw(3, 0), draw(3, 0));
  EXPECT_NE(draw(3, 0), draw(4, 0));
  EXPECT_NE(draw(3, 0), draw(3, 1));
  // SplitMix64 from state 0 begins e220a8397b1dcdaf 6e789e6aa1b965f4 06c45d188009454f
  // f88bb8a8724c81ec.
  EXPECT_THAT(draw(0, 0), ElementsAre(883, 431, 26, 970));
}

}  // namespace
}  // namespace attend
