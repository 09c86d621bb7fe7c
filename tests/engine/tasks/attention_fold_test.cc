// Folding, against sums that can be done in the head.
#include "engine/tasks/attention_fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/tasks/attention_fixture.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

MATCHER(Near, "") { return std::abs(std::get<0>(arg) - std::get<1>(arg)) < 1e-6f; }

ResolvedSelection Cross(AttentionReduction reduction, std::vector<std::vector<int>> heads) {
  ResolvedSelection selection;
  KindHeads kind;
  kind.kind = AttentionKind::kCross;
  kind.heads = std::move(heads);
  selection.kinds = {kind};
  selection.reduction = reduction;
  return selection;
}

TEST(AttentionFolder, WantsOnlyLayersWithChosenHeads) {
  AttentionFolder folder(Cross(AttentionReduction::kMean, {{}, {1}}), AxisOfWords({0}),
                         AxisOfWords({0}));
  EXPECT_FALSE(folder.Wants(AttentionKind::kCross, 0));
  EXPECT_TRUE(folder.Wants(AttentionKind::kCross, 1));
  EXPECT_FALSE(folder.Wants(AttentionKind::kCross, 2));
  EXPECT_FALSE(folder.Wants(AttentionKind::kEncoderSelf, 1));
}

TEST(AttentionFolder, NoneKeepsChosenHeadsInOrder) {
  const std::vector<float> a = {0.25f, 0.75f}, b = {0.5f, 0.5f}, c = {1, 0};
  AttentionFolder folder(Cross(AttentionReduction::kNone, {{0, 1}, {1}}), AxisOfWords({0, 1}),
                         AxisOfWords({0}));
  folder.OnAttention({AttentionKind::kCross, 0, 1}, ViewOf(b, 1));
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(a, 1));
  folder.OnAttention({AttentionKind::kCross, 1, 0}, ViewOf(a, 1));  // not chosen
  folder.OnAttention({AttentionKind::kCross, 1, 1}, ViewOf(c, 1));
  const std::vector<AttentionMatrix> matrices = folder.Finish();
  ASSERT_EQ(matrices.size(), 3u);
  EXPECT_EQ(*matrices[0].head, (HeadIndex{0, 0}));
  EXPECT_EQ(matrices[0].weights, a);
  EXPECT_EQ(*matrices[1].head, (HeadIndex{0, 1}));
  EXPECT_EQ(matrices[1].weights, b);
  EXPECT_EQ(*matrices[2].head, (HeadIndex{1, 1}));
  EXPECT_EQ(matrices[2].weights, c);
}

TEST(AttentionFolder, MeanIsOverHeadsThenLayers) {
  // Layer 0 has two heads, layer 1 has one: the layers weigh the same, the heads do not.
  AttentionFolder folder(Cross(AttentionReduction::kMean, {{0, 1}, {0}}), AxisOfWords({0, 1}),
                         AxisOfWords({0}));
  const std::vector<float> a = {1, 0}, b = {0, 1};
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(a, 1));
  folder.OnAttention({AttentionKind::kCross, 0, 1}, ViewOf(b, 1));
  folder.OnAttention({AttentionKind::kCross, 1, 0}, ViewOf(a, 1));
  const std::vector<AttentionMatrix> matrices = folder.Finish();
  ASSERT_EQ(matrices.size(), 1u);
  EXPECT_FALSE(matrices[0].head.has_value());
  EXPECT_THAT(matrices[0].weights, Pointwise(Near(), std::vector<float>{0.75f, 0.25f}));
}

TEST(AttentionFolder, MaxTakesTheLargest) {
  AttentionFolder folder(Cross(AttentionReduction::kMax, {{0, 1}}), AxisOfWords({0, 1}),
                         AxisOfWords({0}));
  const std::vector<float> a = {0.9f, 0.1f}, b = {0.2f, 0.8f};
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(a, 1));
  folder.OnAttention({AttentionKind::kCross, 0, 1}, ViewOf(b, 1));
  EXPECT_THAT(folder.Finish()[0].weights, ElementsAre(0.9f, 0.8f));
}

TEST(AttentionFolder, RolloutMultipliesLayersWithIdentity) {
  ResolvedSelection selection = Cross(AttentionReduction::kRollout, {{0}, {0}});
  selection.kinds[0].kind = AttentionKind::kDecoderSelf;
  AttentionFolder folder(selection, AxisOfWords({}), AxisOfWords({0, 1}));
  const std::vector<float> first = {1, 0, 0.5f, 0.5f}, second = {1, 0, 1, 0};
  folder.OnAttention({AttentionKind::kDecoderSelf, 0, 0}, ViewOf(first, 2));
  folder.OnAttention({AttentionKind::kDecoderSelf, 1, 0}, ViewOf(second, 2));
  // (A + I) / 2: first = [1 0; .25 .75], second = [1 0; .5 .5]; second x first = [1 0; .625 .375].
  EXPECT_THAT(folder.Finish()[0].weights,
              Pointwise(Near(), std::vector<float>{1, 0, 0.625f, 0.375f}));
}

TEST(AttentionFolder, RolloutAveragesHeadsFirst) {
  ResolvedSelection selection = Cross(AttentionReduction::kRollout, {{0, 1}});
  selection.kinds[0].kind = AttentionKind::kEncoderSelf;
  AttentionFolder folder(selection, AxisOfWords({0, 1}), AxisOfWords({}));
  const std::vector<float> a = {1, 0, 0, 1}, b = {0, 1, 1, 0};
  folder.OnAttention({AttentionKind::kEncoderSelf, 0, 0}, ViewOf(a, 2));
  folder.OnAttention({AttentionKind::kEncoderSelf, 0, 1}, ViewOf(b, 2));
  EXPECT_THAT(folder.Finish()[0].weights,
              Pointwise(Near(), std::vector<float>{0.75f, 0.25f, 0.25f, 0.75f}));
}

TEST(AttentionFolder, WordsSumColumnsAndAverageRows) {
  ResolvedSelection selection = Cross(AttentionReduction::kMean, {{0}});
  selection.granularity = AttentionGranularity::kWord;
  AttentionFolder folder(selection, AxisOfWords({0, 0, 1, -1}), AxisOfWords({0, 0, 1, -1}));
  const std::vector<float> weights = {0.1f, 0.2f, 0.3f, 0.4f,  //
                                      0.3f, 0.4f, 0.1f, 0.2f,  //
                                      0.0f, 0.5f, 0.5f, 0.0f,  //
                                      0.0f, 0.0f, 0.0f, 1.0f};
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(weights, 4));
  const AttentionMatrix matrix = folder.Finish()[0];
  EXPECT_EQ(matrix.rows, 2);
  EXPECT_EQ(matrix.columns, 2);
  EXPECT_THAT(matrix.weights, Pointwise(Near(), std::vector<float>{0.5f, 0.2f, 0.5f, 0.5f}));
}

TEST(AttentionFolder, DropSpecialScalesRowsBackToOne) {
  ResolvedSelection selection = Cross(AttentionReduction::kMean, {{0}});
  selection.drop_special = true;
  AttentionFolder folder(selection, AxisOfWords({0, 1, -1}), AxisOfWords({0, -1}));
  const std::vector<float> weights = {0.1f, 0.3f, 0.6f, 0, 0, 1};
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(weights, 2));
  const AttentionMatrix matrix = folder.Finish()[0];
  EXPECT_EQ(matrix.rows, 1);
  EXPECT_EQ(matrix.columns, 2);
  EXPECT_THAT(matrix.weights, Pointwise(Near(), std::vector<float>{0.25f, 0.75f}));
}

TEST(AttentionFolder, DropSpecialWithWordsKeepsRowsAtOne) {
  ResolvedSelection selection = Cross(AttentionReduction::kMean, {{0}});
  selection.drop_special = true;
  selection.granularity = AttentionGranularity::kWord;
  AttentionFolder folder(selection, AxisOfWords({0, 1, -1}), AxisOfWords({0, 0}));
  const std::vector<float> weights = {0.1f, 0.1f, 0.8f, 0.75f, 0.25f, 0.0f};
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(weights, 2));
  EXPECT_THAT(folder.Finish()[0].weights, Pointwise(Near(), std::vector<float>{0.625f, 0.375f}));
}

TEST(AttentionFolder, AnAllSpecialRowStaysZero) {
  ResolvedSelection selection = Cross(AttentionReduction::kMean, {{0}});
  selection.drop_special = true;
  AttentionFolder folder(selection, AxisOfWords({0, -1}), AxisOfWords({0}));
  const std::vector<float> weights = {0, 1};
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(weights, 1));
  EXPECT_THAT(folder.Finish()[0].weights, ElementsAre(0.0f));
}

TEST(AttentionFolder, SparseRowsAreLargestFirst) {
  ResolvedSelection selection = Cross(AttentionReduction::kMean, {{0}});
  selection.top_k = 2;
  selection.min_weight = 0.15f;
  AttentionFolder folder(selection, AxisOfWords({0, 1, 2, 3}), AxisOfWords({0, 1, 2}));
  const std::vector<float> weights = {0.2f, 0.5f,  0.2f, 0.1f,  // a tie: the earlier column wins
                                      0.9f, 0.1f,  0.0f, 0.0f,  //
                                      0.1f, 0.14f, 0.1f, 0.1f};
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(weights, 3));
  const AttentionMatrix matrix = folder.Finish()[0];
  EXPECT_TRUE(matrix.sparse);
  EXPECT_EQ(matrix.rows, 3);
  EXPECT_EQ(matrix.columns, 4);
  EXPECT_THAT(matrix.row_offsets, ElementsAre(0u, 2u, 3u, 3u));
  EXPECT_THAT(matrix.column_indices, ElementsAre(1u, 0u, 0u));
  EXPECT_THAT(matrix.weights, ElementsAre(0.5f, 0.2f, 0.9f));
}

TEST(AttentionFolder, TopKSendsNoZeros) {
  ResolvedSelection selection = Cross(AttentionReduction::kNone, {{0}});
  selection.top_k = 8;
  AttentionFolder folder(selection, AxisOfWords({0, 1, 2}), AxisOfWords({0}));
  const std::vector<float> weights = {0.25f, 0.75f, 0.0f};
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(weights, 1));
  EXPECT_THAT(folder.Finish()[0].column_indices, ElementsAre(1u, 0u));
}

TEST(AttentionFolder, WordsWithoutTokensCostNothingWhenSparse) {
  // Dense, these words would take 40 GB.
  TextAxis page = AxisOfWords({99999, 5, -1});
  ResolvedSelection selection = Cross(AttentionReduction::kMean, {{0}});
  selection.granularity = AttentionGranularity::kWord;
  selection.top_k = 1;
  AttentionFolder folder(selection, page, page);
  const std::vector<float> weights = {0.7f, 0.2f, 0.1f, 0.1f, 0.8f, 0.1f, 0, 0, 1};
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(weights, 3));
  const AttentionMatrix matrix = folder.Finish()[0];
  EXPECT_EQ(matrix.rows, 100000);
  EXPECT_THAT(matrix.column_indices, ElementsAre(5u, 99999u));
  EXPECT_THAT(matrix.weights, ElementsAre(0.8f, 0.7f));
  EXPECT_EQ(matrix.row_offsets[5], 0u);
  EXPECT_EQ(matrix.row_offsets[6], 1u);
}

TEST(AttentionFolder, KindsComeInTheOrderAskedFor) {
  ResolvedSelection selection = Cross(AttentionReduction::kMean, {{0}});
  KindHeads self;
  self.kind = AttentionKind::kEncoderSelf;
  self.heads = {{0}};
  selection.kinds.push_back(self);
  AttentionFolder folder(selection, AxisOfWords({0}), AxisOfWords({0}));
  const std::vector<float> one = {1};
  folder.OnAttention({AttentionKind::kEncoderSelf, 0, 0}, ViewOf(one, 1));
  folder.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(one, 1));
  const std::vector<AttentionMatrix> matrices = folder.Finish();
  ASSERT_EQ(matrices.size(), 2u);
  EXPECT_EQ(matrices[0].kind, AttentionKind::kCross);
  EXPECT_EQ(matrices[1].kind, AttentionKind::kEncoderSelf);
}

TEST(AttentionFanOut, EachObserverSeesWhatItWants) {
  AttentionFolder first(Cross(AttentionReduction::kNone, {{0}, {}}), AxisOfWords({0}),
                        AxisOfWords({0}));
  AttentionFolder second(Cross(AttentionReduction::kNone, {{}, {0}}), AxisOfWords({0}),
                         AxisOfWords({0}));
  AttentionFanOut both;
  both.Add(&first);
  both.Add(&second);
  EXPECT_TRUE(both.Wants(AttentionKind::kCross, 0));
  EXPECT_TRUE(both.Wants(AttentionKind::kCross, 1));
  EXPECT_FALSE(both.Wants(AttentionKind::kDecoderSelf, 0));
  const std::vector<float> one = {1};
  both.OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(one, 1));
  EXPECT_EQ(first.Finish().size(), 1u);
  EXPECT_EQ(second.Finish().size(), 0u);
}

TEST(MakeResult, LeavesOutWhatTheMatrixLeavesOut) {
  ResolvedSelection selection = Cross(AttentionReduction::kMean, {{0}});
  selection.drop_special = true;
  const AttentionResult result =
      MakeResult(selection, AxisOfWords({0, -1}), AxisOfWords({0, 1, -1}), {});
  EXPECT_EQ(result.source_tokens.size(), 1u);
  EXPECT_EQ(result.target_tokens.size(), 2u);
  EXPECT_EQ(result.target_words.size(), 2u);
}

}  // namespace
}  // namespace attend
