// Summaries that a model writes. A text that is longer than the model reads at once is summarised
// part by part: whole sentences, parts of about equal length, one paragraph of summary each.
#pragma once

#include "engine/tasks/call_environment.h"
#include "engine/tasks/summary_types.h"

namespace attend {

// As RunSummarize; the input's mode is not looked at.
void RunAbstract(CallEnvironment environment, SummarizeInput input, Done<SummarizeOutput> done);

}  // namespace attend
