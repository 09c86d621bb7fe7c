// The file is small and written by people: every mistake is named, none is guessed around.
#include "engine/tasks/attention_presets.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/attention_selection.h"  // StackOf

namespace attend {
namespace {

std::optional<AttentionKind> ParseKind(const std::string& name) {
  for (AttentionKind kind :
       {AttentionKind::kEncoderSelf, AttentionKind::kDecoderSelf, AttentionKind::kCross}) {
    if (name == Name(kind)) return kind;
  }
  return std::nullopt;
}

absl::StatusOr<HeadIndex> ParseHead(const Json& json, const StackSpec& stack,
                                    const std::string& where) {
  auto pair = json.AsInts();
  if (!pair.ok() || pair->size() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": expected [layer, head], two integers"));
  }
  const int64_t layer = (*pair)[0];
  const int64_t head = (*pair)[1];
  if (layer < 0 || layer >= stack.num_layers || head < 0 || head >= stack.num_attention_heads) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": [", layer, ", ", head, "] is not among the model's ", stack.num_layers,
        " layers of ", stack.num_attention_heads, " heads (both count from 0)"));
  }
  return HeadIndex{static_cast<int>(layer), static_cast<int>(head)};
}

absl::StatusOr<AttentionDirection> ParseDirection(const Json& json, const std::string& where) {
  ATTEND_ASSIGN_OR_RETURN(const std::string name,
                          json.GetStringOr("direction", Name(AttentionDirection::kFromQuery)));
  for (AttentionDirection direction :
       {AttentionDirection::kFromQuery, AttentionDirection::kToQuery, AttentionDirection::kBoth}) {
    if (name == Name(direction)) return direction;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": direction '", name, "' is none of from_query, to_query, both"));
}

absl::StatusOr<PresetFigure> ParseFigure(const Json& json, const std::string& where) {
  if (!json.IsObject())
    return absl::InvalidArgumentError(absl::StrCat(where, ": figure must be an object"));
  PresetFigure figure;
  ATTEND_ASSIGN_OR_RETURN(figure.metric, json.GetString("metric"));
  if (figure.metric != kAccuracyMetric && figure.metric != kAlignmentErrorMetric) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": metric '", figure.metric,
                                                   "' is neither ", kAccuracyMetric, " nor ",
                                                   kAlignmentErrorMetric));
  }
  ATTEND_ASSIGN_OR_RETURN(figure.value, json.GetNumber("value"));
  if (!(figure.value >= 0 && figure.value <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": the figure's value ", figure.value, " is not within 0 and 1"));
  }
  ATTEND_ASSIGN_OR_RETURN(const int64_t examples, json.GetInt("examples"));
  if (examples < 1 || examples > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": a figure of ", examples, " examples says nothing"));
  }
  figure.num_examples = static_cast<int>(examples);
  return figure;
}

absl::StatusOr<AttentionPreset> ParsePreset(const std::string& name, const Json& json,
                                            const ModelSpec& spec) {
  const std::string where = absl::StrCat(kPresetsFile, ": preset '", name, "'");
  if (!json.IsObject())
    return absl::InvalidArgumentError(absl::StrCat(where, ": expected an object"));
  AttentionPreset preset;
  preset.name = name;
  ATTEND_ASSIGN_OR_RETURN(std::string kind_name, json.GetString("kind"));
  const std::optional<AttentionKind> kind = ParseKind(kind_name);
  if (!kind) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": kind '", kind_name, "' is none of encoder_self, decoder_self, cross"));
  }
  preset.kind = *kind;
  ATTEND_ASSIGN_OR_RETURN(preset.note, json.GetStringOr("note", ""));
  ATTEND_ASSIGN_OR_RETURN(preset.direction, ParseDirection(json, where));
  if (json.Has("figure")) {
    ATTEND_ASSIGN_OR_RETURN(const Json figure, json.Get("figure"));
    ATTEND_ASSIGN_OR_RETURN(preset.figure, ParseFigure(figure, where));
  }
  ATTEND_ASSIGN_OR_RETURN(Json heads, json.Get("heads"));
  if (!heads.IsArray() || heads.Elements().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": heads must be a list of at least one [layer, head]"));
  }
  const StackSpec& stack = StackOf(spec, preset.kind);
  for (const Json& element : heads.Elements()) {
    ATTEND_ASSIGN_OR_RETURN(HeadIndex head, ParseHead(element, stack, where));
    if (std::find(preset.heads.begin(), preset.heads.end(), head) != preset.heads.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": [", head.layer, ", ", head.head, "] stands there twice"));
    }
    preset.heads.push_back(head);
  }
  return preset;
}

}  // namespace

absl::StatusOr<std::vector<AttentionPreset>> ParsePresets(const Json& json, const ModelSpec& spec) {
  if (!json.IsObject()) {
    return absl::InvalidArgumentError(
        absl::StrCat(kPresetsFile, ": expected an object of presets by name"));
  }
  std::vector<AttentionPreset> presets;
  for (const std::string& name : json.Keys()) {
    ATTEND_ASSIGN_OR_RETURN(Json value, json.Get(name));
    ATTEND_ASSIGN_OR_RETURN(AttentionPreset preset, ParsePreset(name, value, spec));
    if (preset.name == kAlignmentPreset && preset.kind != AttentionKind::kCross) {
      return absl::InvalidArgumentError(absl::StrCat(
          kPresetsFile, ": preset 'alignment' links source and target: its kind must be cross"));
    }
    presets.push_back(std::move(preset));
  }
  std::sort(presets.begin(), presets.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return presets;
}

AttentionPreset FallbackAlignmentPreset(const ModelSpec& spec) {
  AttentionPreset preset;
  preset.name = kAlignmentPreset;
  preset.kind = AttentionKind::kCross;
  preset.note = "uncalibrated";
  const int layers = spec.decoder.num_layers;
  const int third = (layers + 2) / 3;
  for (int layer = layers - third; layer < layers; ++layer) {
    for (int head = 0; head < spec.decoder.num_attention_heads; ++head)
      preset.heads.push_back({layer, head});
  }
  return preset;
}

const AttentionPreset* FindPreset(absl::Span<const AttentionPreset> presets, const char* name) {
  for (const AttentionPreset& preset : presets) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

absl::StatusOr<std::vector<AttentionPreset>> LoadPresets(const ModelDirectory& directory,
                                                         const ModelSpec& spec) {
  std::vector<AttentionPreset> presets;
  if (directory.Has(kPresetsFile)) {
    ATTEND_ASSIGN_OR_RETURN(Json json, directory.ReadJson(kPresetsFile));
    ATTEND_ASSIGN_OR_RETURN(presets, ParsePresets(json, spec));
  }
  if (spec.decoder.num_layers > 0 && FindPreset(presets, kAlignmentPreset) == nullptr) {
    presets.push_back(FallbackAlignmentPreset(spec));
    std::sort(presets.begin(), presets.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
  }
  return presets;
}

}  // namespace attend
