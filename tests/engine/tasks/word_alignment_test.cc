// Links of small matrices, rows being target words.
#include "engine/tasks/word_alignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/tasks/attention_fixture.h"

namespace attend {
namespace {

using ::testing::ElementsAre;

AttentionMatrix MatrixOf(const std::vector<std::vector<float>>& rows) {
  AttentionMatrix matrix;
  matrix.rows = static_cast<int>(rows.size());
  matrix.columns = rows.empty() ? 0 : static_cast<int>(rows[0].size());
  for (const auto& row : rows) matrix.weights.insert(matrix.weights.end(), row.begin(), row.end());
  return matrix;
}

// "source-target", Pharaoh's way.
std::vector<std::string> Pharaoh(const std::vector<WordLink>& links) {
  std::vector<std::string> out;
  for (const WordLink& link : links) {
    out.push_back(std::to_string(link.source_word) + "-" + std::to_string(link.target_word));
  }
  return out;
}

TEST(LinkWords, ADiagonal) {
  const auto links =
      LinkWords(MatrixOf({{0.8f, 0.1f, 0.1f}, {0.1f, 0.7f, 0.2f}, {0.0f, 0.1f, 0.9f}}));
  EXPECT_THAT(Pharaoh(links), ElementsAre("0-0", "1-1", "2-2"));
  EXPECT_FLOAT_EQ(links[1].score, 0.7f);
}

TEST(LinkWords, ACrossing) {
  EXPECT_THAT(Pharaoh(LinkWords(MatrixOf({{0.1f, 0.9f}, {0.9f, 0.1f}}))),
              ElementsAre("1-0", "0-1"));
}

TEST(LinkWords, TwoTargetWordsOfOneSourceWord) {
  // "not" became "ne ... pas": target 1 is not the best of column 0, but it has no link otherwise
  // and stands beside one.
  EXPECT_THAT(Pharaoh(LinkWords(MatrixOf({{0.9f, 0.1f}, {0.6f, 0.4f}, {0.1f, 0.9f}}))),
              ElementsAre("0-0", "0-1", "1-2"));
}

TEST(LinkWords, ALinkFarFromOthersNeedsBothWordsFree) {
  // Target 3's best source is 0, which is linked, and no link is adjacent: it stays without.
  EXPECT_THAT(Pharaoh(LinkWords(MatrixOf({{0.9f, 0.05f, 0.05f, 0.0f},
                                          {0.0f, 0.9f, 0.1f, 0.0f},
                                          {0.0f, 0.1f, 0.9f, 0.0f},
                                          {0.4f, 0.3f, 0.25f, 0.05f}}))),
              ElementsAre("0-0", "1-1", "2-2"));
  // Target 3's best source is 4, which likes target 0 better; but nobody else has it.
  EXPECT_THAT(Pharaoh(LinkWords(MatrixOf({{0.6f, 0.0f, 0.0f, 0.0f, 0.4f},
                                          {0.0f, 0.9f, 0.1f, 0.0f, 0.0f},
                                          {0.0f, 0.1f, 0.9f, 0.0f, 0.0f},
                                          {0.2f, 0.2f, 0.2f, 0.05f, 0.35f}}))),
              ElementsAre("0-0", "1-1", "2-2", "4-3"));
}

TEST(LinkWords, WeakAttentionLinksNothing) {
  EXPECT_TRUE(LinkWords(MatrixOf({{0.05f, 0.04f}, {0.05f, 0.09f}})).empty());
  EXPECT_TRUE(LinkWords(MatrixOf({{0.0f, 0.0f}}), 0.0f).empty());
  EXPECT_EQ(LinkWords(MatrixOf({{0.05f, 0.0f}}), 0.01f).size(), 1u);
}

TEST(LinkWords, NothingToLink) { EXPECT_TRUE(LinkWords(MatrixOf({})).empty()); }

TEST(WordAligner, SkipsWordsWithoutTokens) {
  AttentionPreset preset;
  preset.heads = {{0, 0}};
  const ModelSpec spec = SpecOf(1, 1, 1);
  // Source words 0 to 3, of which only 1 and 3 have tokens; target words 0 and 2.
  const TextAxis source = AxisOfWords({1, 3, -1});
  const TextAxis target = AxisOfWords({0, 2, -1});
  WordAligner aligner(preset, spec, source, target);
  const std::vector<float> weights = {0.1f, 0.2f, 0.7f, 0.5f, 0.1f, 0.4f, 0, 0, 1};
  EXPECT_TRUE(aligner.observer()->Wants(AttentionKind::kCross, 0));
  aligner.observer()->OnAttention({AttentionKind::kCross, 0, 0}, ViewOf(weights, 3));
  const auto links = aligner.Finish();
  EXPECT_THAT(Pharaoh(links), ElementsAre("3-0", "1-2"));
  EXPECT_NEAR(links[0].score, 2.0f / 3.0f, 1e-6f);  // without the end token
}

}  // namespace
}  // namespace attend
