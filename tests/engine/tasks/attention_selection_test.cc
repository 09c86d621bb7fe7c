// What a caller can get wrong about a selection, and what an answer weighs.
#include "engine/tasks/attention_selection.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/error.h"
#include "tests/engine/tasks/attention_fixture.h"

namespace attend {
namespace {

AttentionSelection Cross() {
  AttentionSelection selection;
  selection.kinds = {AttentionKind::kCross};
  return selection;
}

std::vector<AttentionPreset> Presets() {
  AttentionPreset preset;
  preset.name = "alignment";
  preset.heads = {{1, 0}};
  return {preset};
}

void ExpectError(const AttentionSelection& selection, absl::StatusCode code,
                 const std::string& reason, const std::string& field) {
  const auto resolved = ResolveSelection(selection, SpecOf(2, 3, 4), Presets(), "selection");
  ASSERT_FALSE(resolved.ok());
  EXPECT_EQ(resolved.status().code(), code) << resolved.status();
  const auto detail = GetErrorDetail(resolved.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, reason);
  EXPECT_EQ(detail->field, field);
}

TEST(ResolveSelection, AllHeadsWhenNoneAreNamed) {
  AttentionSelection selection = Cross();
  selection.kinds = {AttentionKind::kCross, AttentionKind::kEncoderSelf, AttentionKind::kCross};
  const auto resolved = ResolveSelection(selection, SpecOf(2, 3, 4), Presets(), "selection");
  ASSERT_TRUE(resolved.ok());
  ASSERT_EQ(resolved->kinds.size(), 2u);  // repeated kinds count once
  EXPECT_EQ(resolved->kinds[0].heads.size(), 3u);
  EXPECT_EQ(resolved->kinds[1].heads.size(), 2u);
  EXPECT_EQ(resolved->kinds[0].heads[2].size(), 4u);
  EXPECT_TRUE(resolved->needs_decoder());
}

TEST(ResolveSelection, EncoderSelfNeedsNoDecoder) {
  AttentionSelection selection = Cross();
  selection.kinds = {AttentionKind::kEncoderSelf};
  EXPECT_FALSE(
      ResolveSelection(selection, SpecOf(2, 3, 4), Presets(), "selection")->needs_decoder());
}

TEST(ResolveSelection, PresetNamesItsHeads) {
  AttentionSelection selection = Cross();
  selection.preset = "alignment";
  const auto resolved = ResolveSelection(selection, SpecOf(2, 3, 4), Presets(), "selection");
  ASSERT_TRUE(resolved.ok());
  EXPECT_TRUE(resolved->kinds[0].heads[0].empty());
  EXPECT_EQ(resolved->kinds[0].heads[1], std::vector<int>{0});
}

TEST(ResolveSelection, HeadOutOfRangeNamesTheEntry) {
  AttentionSelection selection = Cross();
  selection.has_head_list = true;
  selection.heads = {{0, 0}, {1, 1}, {2, 3}, {3, 0}};
  ExpectError(selection, absl::StatusCode::kInvalidArgument, "HEAD_OUT_OF_RANGE",
              "selection.head_list.heads[3].layer");
  const auto status = ResolveSelection(selection, SpecOf(2, 3, 4), Presets(), "selection").status();
  const auto detail = GetErrorDetail(status);
  EXPECT_EQ(detail->metadata[1], (std::pair<std::string, std::string>{"limit", "3"}));
  selection.heads = {{0, 4}};
  ExpectError(selection, absl::StatusCode::kInvalidArgument, "HEAD_OUT_OF_RANGE",
              "selection.head_list.heads[0].head");
  selection.heads = {{-1, 0}};
  ExpectError(selection, absl::StatusCode::kInvalidArgument, "HEAD_OUT_OF_RANGE",
              "selection.head_list.heads[0].layer");
}

TEST(ResolveSelection, EveryKindMustHaveTheHead) {
  AttentionSelection selection = Cross();
  selection.kinds = {AttentionKind::kCross,
                     AttentionKind::kEncoderSelf};  // three layers, two layers
  selection.heads = {{2, 0}};
  ExpectError(selection, absl::StatusCode::kInvalidArgument, "HEAD_OUT_OF_RANGE",
              "selection.head_list.heads[0].layer");
}

TEST(ResolveSelection, Refusals) {
  AttentionSelection selection = Cross();
  selection.has_head_list = true;
  ExpectError(selection, absl::StatusCode::kInvalidArgument, "OPTION_OUT_OF_RANGE",
              "selection.head_list.heads");
  selection.heads = {{0, 0}, {0, 0}};
  ExpectError(selection, absl::StatusCode::kInvalidArgument, "OPTION_OUT_OF_RANGE",
              "selection.head_list.heads[1]");

  selection = Cross();
  selection.preset = "coreference";
  ExpectError(selection, absl::StatusCode::kNotFound, "PRESET_NOT_FOUND", "selection.preset");

  selection = Cross();
  selection.preset = "alignment";
  selection.kinds = {AttentionKind::kEncoderSelf};
  ExpectError(selection, absl::StatusCode::kInvalidArgument, "OPTION_OUT_OF_RANGE",
              "selection.kinds");

  selection = Cross();
  selection.reduction = AttentionReduction::kRollout;
  ExpectError(selection, absl::StatusCode::kInvalidArgument, "REDUCTION_NOT_APPLICABLE",
              "selection.reduction");

  selection = Cross();
  selection.kinds.clear();
  ExpectError(selection, absl::StatusCode::kInvalidArgument, "OPTION_OUT_OF_RANGE",
              "selection.kinds");

  for (float bad : {std::nanf(""), -0.1f, std::numeric_limits<float>::infinity()}) {
    selection = Cross();
    selection.min_weight = bad;
    ExpectError(selection, absl::StatusCode::kInvalidArgument, "OPTION_OUT_OF_RANGE",
                "selection.min_weight");
  }
}

TEST(ResolveSelection, AModelWithoutDecoderHasNoCrossAttention) {
  const auto resolved = ResolveSelection(Cross(), SpecOf(2, 0, 4), {}, "selection");
  EXPECT_EQ(resolved.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetErrorDetail(resolved.status())->reason, "CAPABILITY_MISSING");
}

TEST(AnswerBytes, CountsMatricesRowsAndColumns) {
  AttentionSelection selection = Cross();
  selection.kinds = {AttentionKind::kCross, AttentionKind::kEncoderSelf,
                     AttentionKind::kDecoderSelf};
  const ModelSpec spec = SpecOf(6, 6, 8);
  ResolvedSelection resolved = *ResolveSelection(selection, spec, {}, "selection");
  EXPECT_EQ(AnswerBytes(resolved, 16, 16), 3 * 16 * 16 * 4);
  resolved.reduction = AttentionReduction::kNone;
  EXPECT_EQ(AnswerBytes(resolved, 16, 16), 144 * 1024);
  EXPECT_EQ(AnswerBytes(resolved, 10, 20), 48 * 4 * (20 * 10 + 10 * 10 + 20 * 20));
  resolved.top_k = 2;
  EXPECT_EQ(AnswerBytes(resolved, 16, 16), 144 * (16 * 2 * 8 + 17 * 4));
}

TEST(AnswerBytes, AMinimumWeightBoundsARow) {
  ResolvedSelection resolved = *ResolveSelection(Cross(), SpecOf(1, 1, 1), {}, "selection");
  resolved.min_weight = 0.1f;
  EXPECT_EQ(AnswerBytes(resolved, 1000, 1), 10 * 8 + 2 * 4);
  resolved.reduction = AttentionReduction::kMax;  // rows do not sum to one
  EXPECT_EQ(AnswerBytes(resolved, 1000, 1), 1000 * 8 + 2 * 4);
}

TEST(CheckAnswerBytes, NamesNeedLimitAndTheStream) {
  EXPECT_TRUE(CheckAnswerBytes(100, 100, "selection").ok());
  const absl::Status status = CheckAnswerBytes(101, 100, "selection");
  EXPECT_EQ(GetErrorDetail(status)->reason, "ATTENTION_TOO_LARGE");
  EXPECT_NE(std::string(status.message()).find("StreamAttention"), std::string::npos);
  EXPECT_EQ(GetErrorDetail(status)->metadata[0].second, "101");
  EXPECT_EQ(GetErrorDetail(status)->metadata[1].second, "100");
}

}  // namespace
}  // namespace attend
