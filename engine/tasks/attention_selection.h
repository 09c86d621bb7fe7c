// A caller's AttentionSelection, checked against a model and resolved to heads; and what the answer
// will weigh, known before anything is computed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/models/model_spec.h"
#include "engine/tasks/attention_types.h"

namespace attend {

// The stack that owns the attention of a kind: the encoder, or the decoder for its own and the
// cross attention.
const StackSpec& StackOf(const ModelSpec& spec, AttentionKind kind);

// Chosen heads of one kind, [layer] → heads in ascending order; an unchosen layer has none.
struct KindHeads {
  AttentionKind kind = AttentionKind::kCross;
  std::vector<std::vector<int>> heads;
};

struct ResolvedSelection {
  std::vector<KindHeads> kinds;  // in the caller's order, each once
  AttentionReduction reduction = AttentionReduction::kMean;
  AttentionGranularity granularity = AttentionGranularity::kToken;
  int top_k = 0;
  float min_weight = 0;
  bool drop_special = false;

  bool needs_decoder() const;
  bool sparse() const { return top_k > 0 || min_weight > 0; }
};

// `field` is the path of the selection in the request ("selection" or "config.attention"). Errors:
// HEAD_OUT_OF_RANGE (metadata limit), PRESET_NOT_FOUND (metadata presets),
// REDUCTION_NOT_APPLICABLE, CAPABILITY_MISSING and OPTION_OUT_OF_RANGE, each with the field path of
// what is wrong.
absl::StatusOr<ResolvedSelection> ResolveSelection(const AttentionSelection& selection,
                                                   const ModelSpec& spec,
                                                   absl::Span<const AttentionPreset> presets,
                                                   std::string_view field);

// The preset of that name, or NOT_FOUND / PRESET_NOT_FOUND at `field` (metadata preset, presets).
absl::StatusOr<const AttentionPreset*> RequirePreset(const std::string& name,
                                                     absl::Span<const AttentionPreset> presets,
                                                     std::string_view field);
absl::Status PresetNotFound(const std::string& name, const std::vector<std::string>& known,
                            std::string_view field);

// An explicit list of heads: at least one, each within the model (HEAD_OUT_OF_RANGE) and once.
absl::Status CheckHeadList(absl::Span<const HeadIndex> heads, absl::Span<const AttentionKind> kinds,
                           const ModelSpec& spec, std::string_view field);

// FAILED_PRECONDITION / CAPABILITY_MISSING at `field` for attention that the model does not have.
absl::Status CheckKind(AttentionKind kind, const ModelSpec& spec, std::string_view field);

// The selection that word alignment reads: the named preset, folded to one word by word matrix
// without special tokens.
ResolvedSelection SelectionOf(const AttentionPreset& preset, const ModelSpec& spec);

// Most bytes of weights that the answer can hold, for axes of this many tokens (or words).
int64_t AnswerBytes(const ResolvedSelection& selection, int64_t num_source, int64_t num_target);

// Bytes that folding takes while the pass runs, for axes of this many tokens: the running matrices,
// which are in tokens whatever the answer is in.
int64_t FoldBytes(const ResolvedSelection& selection, int64_t num_source, int64_t num_target);

// INVALID_ARGUMENT / ATTENTION_TOO_LARGE (metadata need, limit) when need > limit; the message
// names the ways out.
absl::Status CheckAnswerBytes(int64_t need, int64_t limit, std::string_view field);

}  // namespace attend
