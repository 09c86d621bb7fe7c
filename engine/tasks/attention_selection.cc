// Everything a caller can get wrong about a selection is found here, so that folding works on what
// is known to be right.
#include "engine/tasks/attention_selection.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

using Metadata = std::vector<std::pair<std::string, std::string>>;

absl::Status Invalid(const char* reason, std::string field, std::string message,
                     Metadata metadata = {}) {
  ErrorDetail detail;
  detail.reason = reason;
  detail.field = std::move(field);
  detail.metadata = std::move(metadata);
  return MakeError(absl::StatusCode::kInvalidArgument, message, std::move(detail));
}

absl::Status CheckHead(HeadIndex head, const StackSpec& stack, AttentionKind kind,
                       const std::string& field) {
  if (head.layer < 0 || head.layer >= stack.num_layers) {
    return Invalid(
        "HEAD_OUT_OF_RANGE", field + ".layer",
        absl::StrCat("layer ", head.layer, " of ", Name(kind), " attention: the model has ",
                     stack.num_layers, " layers, 0 first"),
        {{"layer", std::to_string(head.layer)}, {"limit", std::to_string(stack.num_layers)}});
  }
  if (head.head < 0 || head.head >= stack.num_attention_heads) {
    return Invalid("HEAD_OUT_OF_RANGE", field + ".head",
                   absl::StrCat("head ", head.head, " of ", Name(kind), " attention: a layer has ",
                                stack.num_attention_heads, " heads, 0 first"),
                   {{"head", std::to_string(head.head)},
                    {"limit", std::to_string(stack.num_attention_heads)}});
  }
  return absl::OkStatus();
}

// Puts heads into their layers. REQUIRES: they are within the stack.
KindHeads Arrange(AttentionKind kind, absl::Span<const HeadIndex> heads, const StackSpec& stack) {
  KindHeads out;
  out.kind = kind;
  out.heads.resize(static_cast<size_t>(stack.num_layers));
  for (const HeadIndex& head : heads)
    out.heads[static_cast<size_t>(head.layer)].push_back(head.head);
  for (std::vector<int>& layer : out.heads) std::sort(layer.begin(), layer.end());
  return out;
}

KindHeads AllHeads(AttentionKind kind, const StackSpec& stack) {
  KindHeads out;
  out.kind = kind;
  out.heads.resize(static_cast<size_t>(stack.num_layers));
  for (std::vector<int>& layer : out.heads) {
    for (int h = 0; h < stack.num_attention_heads; ++h) layer.push_back(h);
  }
  return out;
}

absl::Status CheckScalars(const AttentionSelection& selection, const std::string& field) {
  if (selection.kinds.empty()) {
    return Invalid("OPTION_OUT_OF_RANGE", field + ".kinds",
                   "at least one kind of attention must be named");
  }
  if (selection.top_k < 0)
    return Invalid("OPTION_OUT_OF_RANGE", field + ".top_k", "top_k must not be negative");
  if (!std::isfinite(selection.min_weight) || selection.min_weight < 0) {
    return Invalid("OPTION_OUT_OF_RANGE", field + ".min_weight",
                   "min_weight must be a finite number, 0 or more");
  }
  if (selection.reduction == AttentionReduction::kRollout) {
    for (AttentionKind kind : selection.kinds) {
      if (kind == AttentionKind::kCross) {
        return Invalid("REDUCTION_NOT_APPLICABLE", field + ".reduction",
                       "rollout multiplies layers over the same positions: it has a meaning for "
                       "self attention only");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

const StackSpec& StackOf(const ModelSpec& spec, AttentionKind kind) {
  return kind == AttentionKind::kEncoderSelf ? spec.encoder : spec.decoder;
}

absl::Status PresetNotFound(const std::string& name, const std::vector<std::string>& known,
                            std::string_view field) {
  ErrorDetail detail;
  detail.reason = "PRESET_NOT_FOUND";
  detail.field = std::string(field);
  detail.metadata = {{"preset", name}, {"presets", absl::StrJoin(known, ",")}};
  detail.resource_type = "attend.v1.AttentionPreset";
  detail.resource_name = name;
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat("there is no attention preset '", name, "'; there is: ",
                                known.empty() ? "none" : absl::StrJoin(known, ", ")),
                   std::move(detail));
}

absl::StatusOr<const AttentionPreset*> RequirePreset(const std::string& name,
                                                     absl::Span<const AttentionPreset> presets,
                                                     std::string_view field) {
  std::vector<std::string> known;
  for (const AttentionPreset& preset : presets) {
    if (preset.name == name) return &preset;
    known.push_back(preset.name);
  }
  return PresetNotFound(name, known, field);
}

absl::Status CheckHeadList(absl::Span<const HeadIndex> heads, absl::Span<const AttentionKind> kinds,
                           const ModelSpec& spec, std::string_view field) {
  const std::string list(field);
  if (heads.empty()) {
    return Invalid("OPTION_OUT_OF_RANGE", list, "a head list must name at least one head");
  }
  for (size_t i = 0; i < heads.size(); ++i) {
    const std::string path = absl::StrCat(list, "[", i, "]");
    for (AttentionKind kind : kinds) {
      ATTEND_RETURN_IF_ERROR(CheckHead(heads[i], StackOf(spec, kind), kind, path));
    }
    // All heads before this one are in range and different, so there are at most layers x heads of
    // them to look at.
    for (size_t j = 0; j < i; ++j) {
      if (heads[j] == heads[i]) {
        return Invalid("OPTION_OUT_OF_RANGE", path, absl::StrCat("the same head as entry ", j));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckKind(AttentionKind kind, const ModelSpec& spec, std::string_view field) {
  if (StackOf(spec, kind).num_layers > 0) return absl::OkStatus();
  ErrorDetail detail;
  detail.reason = "CAPABILITY_MISSING";
  detail.field = std::string(field);
  detail.metadata = {{"kind", Name(kind)}, {"architecture", spec.architecture}};
  detail.resource_type = "CAPABILITY";
  detail.resource_name = absl::StrCat("attention/", Name(kind));
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("a ", spec.architecture, " has no ", Name(kind), " attention"),
                   std::move(detail));
}

bool ResolvedSelection::needs_decoder() const {
  return std::any_of(kinds.begin(), kinds.end(),
                     [](const KindHeads& k) { return k.kind != AttentionKind::kEncoderSelf; });
}

absl::StatusOr<ResolvedSelection> ResolveSelection(const AttentionSelection& selection,
                                                   const ModelSpec& spec,
                                                   absl::Span<const AttentionPreset> presets,
                                                   std::string_view field) {
  const std::string path(field);
  ATTEND_RETURN_IF_ERROR(CheckScalars(selection, path));
  for (AttentionKind kind : selection.kinds) {
    ATTEND_RETURN_IF_ERROR(CheckKind(kind, spec, path + ".kinds"));
  }

  const AttentionPreset* preset = nullptr;
  if (!selection.preset.empty()) {
    ATTEND_ASSIGN_OR_RETURN(preset, RequirePreset(selection.preset, presets, path + ".preset"));
    for (AttentionKind kind : selection.kinds) {
      if (kind != preset->kind) {
        return Invalid("OPTION_OUT_OF_RANGE", path + ".kinds",
                       absl::StrCat("preset '", preset->name, "' is of ", Name(preset->kind),
                                    " attention, not of ", Name(kind)));
      }
    }
  } else if (selection.has_head_list || !selection.heads.empty()) {
    ATTEND_RETURN_IF_ERROR(
        CheckHeadList(selection.heads, selection.kinds, spec, path + ".head_list.heads"));
  }

  ResolvedSelection out;
  out.reduction = selection.reduction;
  out.granularity = selection.granularity;
  out.top_k = selection.top_k;
  out.min_weight = selection.min_weight;
  out.drop_special = selection.drop_special;
  for (AttentionKind kind : selection.kinds) {
    const bool repeated = std::any_of(out.kinds.begin(), out.kinds.end(),
                                      [kind](const KindHeads& k) { return k.kind == kind; });
    if (repeated) continue;
    const StackSpec& stack = StackOf(spec, kind);
    if (preset != nullptr) {
      out.kinds.push_back(Arrange(kind, preset->heads, stack));
    } else if (!selection.heads.empty()) {
      out.kinds.push_back(Arrange(kind, selection.heads, stack));
    } else {
      out.kinds.push_back(AllHeads(kind, stack));
    }
  }
  return out;
}

ResolvedSelection SelectionOf(const AttentionPreset& preset, const ModelSpec& spec) {
  ResolvedSelection out;
  out.kinds.push_back(Arrange(preset.kind, preset.heads, StackOf(spec, preset.kind)));
  out.reduction = AttentionReduction::kMean;
  out.granularity = AttentionGranularity::kWord;
  out.drop_special = true;
  return out;
}

namespace {

std::pair<int64_t, int64_t> ShapeOf(AttentionKind kind, int64_t num_source, int64_t num_target) {
  return {kind == AttentionKind::kEncoderSelf ? num_source : num_target,
          kind == AttentionKind::kDecoderSelf ? num_target : num_source};
}

}  // namespace

int64_t AnswerBytes(const ResolvedSelection& selection, int64_t num_source, int64_t num_target) {
  int64_t bytes = 0;
  for (const KindHeads& kind : selection.kinds) {
    const auto [rows, columns] = ShapeOf(kind.kind, num_source, num_target);
    int64_t matrices = 1;
    if (selection.reduction == AttentionReduction::kNone) {
      matrices = 0;
      for (const std::vector<int>& layer : kind.heads)
        matrices += static_cast<int64_t>(layer.size());
    }
    if (!selection.sparse()) {
      bytes += matrices * rows * columns * static_cast<int64_t>(sizeof(float));
      continue;
    }
    int64_t kept = columns;
    if (selection.top_k > 0) kept = std::min<int64_t>(kept, selection.top_k);
    // A row that sums to one has at most 1/w weights of w or more.
    if (selection.min_weight > 0 && selection.reduction != AttentionReduction::kMax) {
      kept = std::min<int64_t>(kept,
                               static_cast<int64_t>(std::min(1e9, 1.001 / selection.min_weight)));
    }
    bytes += matrices * (rows * kept * 8 + (rows + 1) * 4);
  }
  return bytes;
}

int64_t FoldBytes(const ResolvedSelection& selection, int64_t num_source, int64_t num_target) {
  if (selection.reduction == AttentionReduction::kNone) return 0;
  int64_t bytes = 0;
  for (const KindHeads& kind : selection.kinds) {
    const auto [rows, columns] = ShapeOf(kind.kind, num_source, num_target);
    int64_t matrices = 1;
    if (selection.reduction == AttentionReduction::kRollout)
      matrices = static_cast<int64_t>(kind.heads.size());
    bytes += matrices * rows * columns * static_cast<int64_t>(sizeof(float));
  }
  return bytes;
}

absl::Status CheckAnswerBytes(int64_t need, int64_t limit, std::string_view field) {
  if (need <= limit) return absl::OkStatus();
  return Invalid(
      "ATTENTION_TOO_LARGE", std::string(field),
      absl::StrCat(
          "the weights asked for are ", need, " bytes, above the limit of ", limit,
          "; fold heads (reduction MEAN), keep top_k, ask for fewer heads, or use StreamAttention"),
      {{"need", std::to_string(need)}, {"limit", std::to_string(limit)}});
}

}  // namespace attend
