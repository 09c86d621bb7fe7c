// Named sets of heads that a model folder brings along in attention_presets.json:
//   {"alignment": {"kind": "cross", "heads": [[1, 0]], "note": "how they were chosen"},
//    "coreference": {"kind": "encoder_self", "heads": [[3, 1]], "direction": "both",
//                    "figure": {"metric": "accuracy", "value": 0.87, "examples": 120}}}
// or, for queries, weighted heads instead of "heads" and "direction":
//    {"coreference": {"kind": "encoder_self", "floor": 0.01,
//                     "terms": [{"head": [3, 1], "direction": "to_query", "weight": 0.8}]}}
// "direction" (which way a query follows the heads; "from_query" when absent) and "figure" (what
// was measured on examples that played no part in the choice) are optional.
// A folder without the file gets one preset, "alignment": all heads of the last third of the
// decoder's layers.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/json.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/models/model_spec.h"
#include "engine/tasks/attention_types.h"

namespace attend {

inline constexpr char kPresetsFile[] = "attention_presets.json";
inline constexpr char kAlignmentPreset[] = "alignment";
inline constexpr char kCoreferencePreset[] = "coreference";
inline constexpr char kAccuracyMetric[] = "accuracy";
inline constexpr char kAlignmentErrorMetric[] = "alignment_error_rate";

// INVALID_ARGUMENT naming file, preset and what was expected, when the file is malformed or names
// heads that the model does not have. Presets come sorted by name; "alignment" is always among the
// presets of a model with a decoder.
absl::StatusOr<std::vector<AttentionPreset>> LoadPresets(const ModelDirectory& directory,
                                                         const ModelSpec& spec);

// The same from parsed JSON, without the fallback.
absl::StatusOr<std::vector<AttentionPreset>> ParsePresets(const Json& json, const ModelSpec& spec);

// What stands in for a missing alignment preset. REQUIRES: the model has a decoder.
AttentionPreset FallbackAlignmentPreset(const ModelSpec& spec);

// nullptr when there is none.
const AttentionPreset* FindPreset(absl::Span<const AttentionPreset> presets, const char* name);

}  // namespace attend
