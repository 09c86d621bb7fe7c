// What is kept of a pass for a query, and what answers are made of it.
#include "engine/tasks/query/query_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/tasks/query/preset_routing.h"
#include "engine/tasks/query/query_places.h"
#include "tests/engine/tasks/attention_fixture.h"

namespace attend {
namespace {

KindHeads HeadsOf(const std::vector<std::vector<int>>& heads) {
  return {AttentionKind::kEncoderSelf, heads};
}

constexpr AttentionSite kSite{AttentionKind::kEncoderSelf, 0, 0};
constexpr HeadIndex kHead{0, 0};

// Words of two, one and one tokens, then a special one; the query is the last word.
class QueryWeightsTest : public ::testing::Test {
 protected:
  const TextAxis axis_ = AxisOfWords({0, 0, 1, 2, -1});
  QueryWeights weights_{HeadsOf({{0}, {}}), {3}, axis_};
};

TEST_F(QueryWeightsTest, WantsItsHeadsOnly) {
  EXPECT_TRUE(weights_.Wants(AttentionKind::kEncoderSelf, 0));
  EXPECT_FALSE(weights_.Wants(AttentionKind::kEncoderSelf, 1));
  EXPECT_FALSE(weights_.Wants(AttentionKind::kDecoderSelf, 0));
  weights_.OnAttention({AttentionKind::kEncoderSelf, 0, 1},
                       ViewOf(std::vector<float>(25, 0.2f), 5));
  EXPECT_EQ(weights_.FromQuery(kHead, {0, 1}), 0.0f);
}

TEST_F(QueryWeightsTest, RowsAreScaledWithoutSpecialTokens) {
  const std::vector<float> matrix = {0.2f, 0.2f, 0.2f, 0.2f,  0.2f,   //
                                     0.1f, 0.1f, 0.1f, 0.2f,  0.5f,   //
                                     0.0f, 0.0f, 0.0f, 0.25f, 0.75f,  //
                                     0.1f, 0.2f, 0.1f, 0.1f,  0.5f,   //
                                     1.0f, 0.0f, 0.0f, 0.0f,  0.0f};
  weights_.OnAttention(kSite, ViewOf(matrix, 5));
  EXPECT_FLOAT_EQ(weights_.FromQuery(kHead, {0, 1}), 0.6f);  // summed
  EXPECT_FLOAT_EQ(weights_.FromQuery(kHead, {2}), 0.2f);
  EXPECT_FLOAT_EQ(weights_.ToQuery(kHead, {0, 1}), (0.25f + 0.4f) / 2);  // averaged
  EXPECT_FLOAT_EQ(weights_.ToQuery(kHead, {2}), 1.0f);
}

TEST_F(QueryWeightsTest, AHeadThatGivesAllButNothingToWordsStaysFinite) {
  const float least = std::numeric_limits<float>::denorm_min();
  std::vector<float> matrix(25, 0.0f);
  for (size_t row = 0; row < 5; ++row) matrix[row * 5 + 4] = 1.0f;
  matrix[3 * 5 + 2] = least;
  matrix[2 * 5 + 3] = least;
  weights_.OnAttention(kSite, ViewOf(matrix, 5));
  EXPECT_FLOAT_EQ(weights_.FromQuery(kHead, {2}), 1.0f);
  EXPECT_FLOAT_EQ(weights_.ToQuery(kHead, {2}), 1.0f);
  EXPECT_EQ(weights_.ToQuery(kHead, {0, 1}), 0.0f);
}

constexpr char kText[] = "abc";

// Three words of a token each and the query, with one head.
class RankPlacesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<float> matrix = {0.7f, 0.1f, 0.1f, 0.1f,  //
                                       0.1f, 0.3f, 0.1f, 0.5f,  //
                                       0.1f, 0.1f, 0.5f, 0.3f,  //
                                       0.5f, 0.1f, 0.1f, 0.3f};
    weights_.OnAttention(kSite, ViewOf(matrix, 4));
    for (uint32_t i = 0; i < 3; ++i) {
      places_.push_back({{i, i + 1}, {static_cast<int>(i)}});
    }
  }
  static std::string Order(const std::vector<QueryAnswer>& answers) {
    std::string order;
    for (const QueryAnswer& answer : answers) order += answer.text;
    return order;
  }

  QueryWeights weights_{HeadsOf({{0}}), {3}, AxisOfWords({0, 1, 2, 3})};
  std::vector<QueryPlace> places_;
  AttentionPreset preset_;
};

TEST_F(RankPlacesTest, TheDirectionDecides) {
  auto answers = RankPlaces(kText, places_, weights_, preset_, 10);
  EXPECT_EQ(Order(answers), "abc");  // b and c tie: the earlier one first
  EXPECT_FLOAT_EQ(answers[0].weight, 0.5f / 0.7f);
  preset_.direction = AttentionDirection::kToQuery;
  answers = RankPlaces(kText, places_, weights_, preset_, 10);
  EXPECT_EQ(Order(answers), "bca");
  EXPECT_FLOAT_EQ(answers[0].weight, 0.5f / 0.9f);
  preset_.direction = AttentionDirection::kBoth;
  answers = RankPlaces(kText, places_, weights_, preset_, 2);
  EXPECT_EQ(Order(answers), "ab");
  EXPECT_FLOAT_EQ(answers[0].weight, 0.6f / 1.6f);
}

TEST_F(RankPlacesTest, TermsAddLogarithms) {
  preset_.floor = 0.1;
  preset_.terms = {{kHead, AttentionDirection::kFromQuery, 1.0},
                   {kHead, AttentionDirection::kToQuery, -2.0}};
  const auto answers = RankPlaces(kText, places_, weights_, preset_, 10);
  EXPECT_EQ(Order(answers), "acb");
  const double a = 0.6 / (0.2 * 0.2), b = 0.2 / (0.6 * 0.6), c = 0.2 / (0.4 * 0.4);
  EXPECT_NEAR(static_cast<double>(answers[0].weight), a / (a + b + c), 1e-5);
  EXPECT_NEAR(static_cast<double>(answers[2].weight), b / (a + b + c), 1e-5);
}

TEST_F(RankPlacesTest, NothingMayAnswerNothing) {
  EXPECT_TRUE(RankPlaces(kText, {}, weights_, preset_, 10).empty());
  preset_.terms = {{kHead, AttentionDirection::kFromQuery, 1.0}};
  EXPECT_TRUE(RankPlaces(kText, {}, weights_, preset_, 10).empty());
}

PresetCandidate Candidate(const std::string& model, double accuracy, int examples) {
  PresetCandidate candidate{model, {}};
  if (examples > 0) candidate.preset.figure = PresetFigure{"accuracy", accuracy, examples};
  return candidate;
}

TEST(ChooseByFigure, AccuracyThenExamplesThenName) {
  const auto chosen = [](const std::vector<PresetCandidate>& candidates) {
    return candidates[ChooseByFigure(candidates)].model;
  };
  EXPECT_EQ(chosen({Candidate("b", 0, 0), Candidate("a", 0, 0)}), "a");
  EXPECT_EQ(chosen({Candidate("a", 0, 0), Candidate("b", 0.0, 1)}), "b");
  EXPECT_EQ(chosen({Candidate("a", 0.7, 9), Candidate("b", 0.8, 3)}), "b");
  EXPECT_EQ(chosen({Candidate("a", 0.7, 9), Candidate("b", 0.7, 30)}), "b");
  PresetCandidate other = Candidate("b", 0.9, 30);
  other.preset.figure->metric = "alignment_error_rate";
  EXPECT_EQ(chosen({other, Candidate("c", 0.1, 2)}), "c");
}

}  // namespace
}  // namespace attend
