// The file is small and written by people: every mistake is named, none is guessed around.
#include "engine/tasks/attention_presets.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/attention_selection.h"  // StackOf

namespace attend {
namespace {

// Far above what a fit gives, far below what a sum of them could overflow with.
constexpr double kMaxTermWeight = 1000;

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

// "terms" instead of "heads", and "floor".
absl::Status ParseTerms(const Json& json, const ModelSpec& spec, const std::string& where,
                        AttentionPreset* preset) {
  if (json.Has("heads") || json.Has("direction")) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ": terms have heads and directions of their own; give terms, or the others"));
  }
  if (preset->kind == AttentionKind::kCross) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": terms are for queries, which read no cross attention"));
  }
  ATTEND_ASSIGN_OR_RETURN(preset->floor, json.GetNumberOr("floor", preset->floor));
  if (!(preset->floor > 0 && preset->floor <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": floor ", preset->floor, " is not above 0 and at most 1"));
  }
  ATTEND_ASSIGN_OR_RETURN(const Json terms, json.Get("terms"));
  if (!terms.IsArray() || terms.Elements().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": terms must be a list of at least one"));
  }
  for (const Json& element : terms.Elements()) {
    if (!element.IsObject())
      return absl::InvalidArgumentError(absl::StrCat(where, ": a term must be an object"));
    PresetTerm term;
    ATTEND_ASSIGN_OR_RETURN(const Json head, element.Get("head"));
    ATTEND_ASSIGN_OR_RETURN(term.head, ParseHead(head, StackOf(spec, preset->kind), where));
    ATTEND_ASSIGN_OR_RETURN(term.direction, ParseDirection(element, where));
    ATTEND_ASSIGN_OR_RETURN(term.weight, element.GetNumber("weight"));
    if (term.direction == AttentionDirection::kBoth || !(std::abs(term.weight) <= kMaxTermWeight)) {
      return absl::InvalidArgumentError(
          absl::StrCat(where,
                       ": a term has one direction, from_query or to_query, and a weight of at "
                       "most 1000 either way"));
    }
    for (const PresetTerm& other : preset->terms) {
      if (!(other.head == term.head) || other.direction != term.direction) continue;
      return absl::InvalidArgumentError(absl::StrCat(where, ": [", term.head.layer, ", ",
                                                     term.head.head, "] ", Name(term.direction),
                                                     " stands there twice"));
    }
    if (std::find(preset->heads.begin(), preset->heads.end(), term.head) == preset->heads.end())
      preset->heads.push_back(term.head);
    preset->terms.push_back(term);
  }
  return absl::OkStatus();
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
  if (json.Has("terms")) {
    ATTEND_RETURN_IF_ERROR(ParseTerms(json, spec, where, &preset));
    return preset;
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
