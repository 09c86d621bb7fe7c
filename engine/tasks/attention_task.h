// The meaning of GetAttention and AlignWords: one forced pass over a source and a target, watched.
#pragma once

#include "engine/tasks/call_environment.h"
#include "engine/tasks/call_types.h"

namespace attend {

// As RunTranslate. The source is read as one sequence; a target that is not given is written by the
// model first.
void RunGetAttention(CallEnvironment environment, AttentionInput input, Done<AttentionOutput> done);
void RunAlignWords(CallEnvironment environment, AlignInput input, Done<AlignOutput> done);

}  // namespace attend
