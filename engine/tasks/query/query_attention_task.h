// The meaning of QueryAttention: one forced pass over a text, of which only what touches the query
// is kept.
#pragma once

#include "absl/status/statusor.h"
#include "engine/tasks/call_environment.h"
#include "engine/tasks/call_types.h"

namespace attend {

// As RunGetAttention.
void RunQueryAttention(CallEnvironment environment, QueryAttentionInput input,
                       Done<QueryAttentionOutput> done);

// The heads that a query uses: the preset it names ("coreference" when it names nothing), or its
// own list as a preset without a name. Errors: PRESET_NOT_FOUND, HEAD_OUT_OF_RANGE,
// CAPABILITY_MISSING and OPTION_OUT_OF_RANGE, with field paths of QueryAttentionRequest.
absl::StatusOr<AttentionPreset> ResolveQueryHeads(const QueryAttentionInput& input,
                                                  const ModelSpec& spec,
                                                  absl::Span<const AttentionPreset> presets);

}  // namespace attend
