// The meaning of Summarize: texts → sentences that are picked, or sentences that are written.
#pragma once

#include "engine/tasks/call_environment.h"
#include "engine/tasks/summary_types.h"

namespace attend {

// Prepares on the calling thread or, when there is much text, on the engine's; finishes on a
// worker. `done` is called exactly once. The model has been chosen; the input's model is not looked
// at again.
void RunSummarize(CallEnvironment environment, SummarizeInput input, Done<SummarizeOutput> done);

}  // namespace attend
