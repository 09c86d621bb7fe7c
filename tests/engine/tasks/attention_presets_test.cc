// The preset file: what is read from it, what stands in for it, and every way it can be wrong.
#include "engine/tasks/attention_presets.h"

#include <gtest/gtest.h>

#include "tests/engine/tasks/attention_fixture.h"

namespace attend {
namespace {

absl::StatusOr<std::vector<AttentionPreset>> Parse(const std::string& text) {
  auto json = Json::Parse(text, kPresetsFile);
  if (!json.ok()) return json.status();
  return ParsePresets(*json, SpecOf(6, 3, 4));
}

TEST(ParsePresets, ReadsKindHeadsAndNote) {
  const auto presets = Parse(R"({"head": {"kind": "encoder_self", "heads": [[5, 3], [0, 0]]},
                                 "alignment": {"kind": "cross", "heads": [[1, 0]], "note": "by hand"}})");
  ASSERT_TRUE(presets.ok()) << presets.status();
  ASSERT_EQ(presets->size(), 2u);
  EXPECT_EQ((*presets)[0].name, "alignment");
  EXPECT_EQ((*presets)[0].kind, AttentionKind::kCross);
  EXPECT_EQ((*presets)[0].heads, (std::vector<HeadIndex>{{1, 0}}));
  EXPECT_EQ((*presets)[0].note, "by hand");
  EXPECT_EQ((*presets)[1].kind, AttentionKind::kEncoderSelf);
  EXPECT_EQ((*presets)[1].heads, (std::vector<HeadIndex>{{5, 3}, {0, 0}}));
}

TEST(ParsePresets, ReadsDirectionAndFigure) {
  const auto presets = Parse(R"({"coreference": {"kind": "encoder_self", "heads": [[5, 3]],
      "direction": "both", "figure": {"metric": "accuracy", "value": 0.87, "examples": 120}},
      "plain": {"kind": "encoder_self", "heads": [[0, 0]]}})");
  ASSERT_TRUE(presets.ok()) << presets.status();
  EXPECT_EQ((*presets)[0].direction, AttentionDirection::kBoth);
  ASSERT_TRUE((*presets)[0].figure.has_value());
  EXPECT_EQ((*presets)[0].figure->metric, "accuracy");
  EXPECT_EQ((*presets)[0].figure->value, 0.87);
  EXPECT_EQ((*presets)[0].figure->num_examples, 120);
  EXPECT_EQ((*presets)[1].direction, AttentionDirection::kFromQuery);
  EXPECT_FALSE((*presets)[1].figure.has_value());
  EXPECT_TRUE((*presets)[1].terms.empty());
}

TEST(ParsePresets, ReadsTerms) {
  const auto presets = Parse(R"({"coreference": {"kind": "encoder_self", "floor": 0.05, "terms": [
      {"head": [5, 3], "direction": "to_query", "weight": 0.5},
      {"head": [5, 3], "weight": -2}, {"head": [0, 1], "weight": 1e-3}]}})");
  ASSERT_TRUE(presets.ok()) << presets.status();
  const AttentionPreset& preset = (*presets)[0];
  EXPECT_EQ(preset.floor, 0.05);
  EXPECT_EQ(preset.heads, (std::vector<HeadIndex>{{5, 3}, {0, 1}}));
  ASSERT_EQ(preset.terms.size(), 3u);
  EXPECT_EQ(preset.terms[0].direction, AttentionDirection::kToQuery);
  EXPECT_EQ(preset.terms[0].weight, 0.5);
  EXPECT_EQ(preset.terms[1].direction, AttentionDirection::kFromQuery);
  EXPECT_EQ(preset.terms[1].weight, -2);
}

TEST(ParsePresets, NamesWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"([])", "object"},
      {R"({"alignment": 1})", "alignment"},
      {R"({"a": {"heads": [[0, 0]]}})", "kind"},
      {R"({"a": {"kind": "sideways", "heads": [[0, 0]]}})", "sideways"},
      {R"({"a": {"kind": "cross", "heads": []}})", "at least one"},
      {R"({"a": {"kind": "cross", "heads": {"0": 1}}})", "at least one"},
      {R"({"a": {"kind": "cross", "heads": [[0]]}})", "[layer, head]"},
      {R"({"a": {"kind": "cross", "heads": [["x", 0]]}})", "[layer, head]"},
      {R"({"a": {"kind": "cross", "heads": [[3, 0]]}})", "[3, 0]"},
      {R"({"a": {"kind": "cross", "heads": [[0, 4]]}})", "[0, 4]"},
      {R"({"a": {"kind": "cross", "heads": [[-1, 0]]}})", "[-1, 0]"},
      {R"({"a": {"kind": "cross", "heads": [[0, 0], [0, 0]]}})", "twice"},
      {R"({"a": {"kind": "cross", "heads": [[0, 0]], "direction": "up"}})", "'up'"},
      {R"({"a": {"kind": "cross", "heads": [[0, 0]], "figure": 3}})", "figure"},
      {R"({"a": {"kind": "cross", "heads": [[0, 0]],
           "figure": {"metric": "bleu", "value": 0.5, "examples": 3}}})",
       "bleu"},
      {R"({"a": {"kind": "cross", "heads": [[0, 0]],
           "figure": {"metric": "accuracy", "value": 1.5, "examples": 3}}})",
       "1.5"},
      {R"({"a": {"kind": "cross", "heads": [[0, 0]],
           "figure": {"metric": "accuracy", "value": 0.5, "examples": 0}}})",
       "0 examples"},
      {R"({"a": {"kind": "encoder_self", "terms": []}})", "at least one"},
      {R"({"a": {"kind": "encoder_self", "terms": [3]}})", "object"},
      {R"({"a": {"kind": "encoder_self", "heads": [[0, 0]],
           "terms": [{"head": [0, 0], "weight": 1}]}})",
       "terms"},
      {R"({"a": {"kind": "cross", "terms": [{"head": [0, 0], "weight": 1}]}})", "cross"},
      {R"({"a": {"kind": "encoder_self", "terms": [{"head": [6, 0], "weight": 1}]}})", "[6, 0]"},
      {R"({"a": {"kind": "encoder_self", "terms": [{"head": [0, 0]}]}})", "weight"},
      {R"({"a": {"kind": "encoder_self", "terms": [{"head": [0, 0], "weight": 1e9}]}})", "1000"},
      {R"({"a": {"kind": "encoder_self",
           "terms": [{"head": [0, 0], "weight": 1, "direction": "both"}]}})",
       "one direction"},
      {R"({"a": {"kind": "encoder_self",
           "terms": [{"head": [0, 0], "weight": 1}, {"head": [0, 0], "weight": 2}]}})",
       "twice"},
      {R"({"a": {"kind": "encoder_self", "floor": 0, "terms": [{"head": [0, 0], "weight": 1}]}})",
       "floor"},
      {R"({"alignment": {"kind": "decoder_self", "heads": [[0, 0]]}})", "cross"},
  };
  for (const auto& [text, mention] : cases) {
    const auto presets = Parse(text);
    ASSERT_FALSE(presets.ok()) << text;
    EXPECT_NE(std::string(presets.status().message()).find(mention), std::string::npos)
        << presets.status();
  }
}

TEST(FallbackAlignmentPreset, IsTheLastThirdOfTheDecoder) {
  const AttentionPreset preset = FallbackAlignmentPreset(SpecOf(6, 6, 2));
  EXPECT_EQ(preset.name, "alignment");
  EXPECT_EQ(preset.note, "uncalibrated");
  EXPECT_EQ(preset.kind, AttentionKind::kCross);
  EXPECT_EQ(preset.heads, (std::vector<HeadIndex>{{4, 0}, {4, 1}, {5, 0}, {5, 1}}));
  EXPECT_EQ(FallbackAlignmentPreset(SpecOf(1, 1, 1)).heads, (std::vector<HeadIndex>{{0, 0}}));
}

}  // namespace
}  // namespace attend
