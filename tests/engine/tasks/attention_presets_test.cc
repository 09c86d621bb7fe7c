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
