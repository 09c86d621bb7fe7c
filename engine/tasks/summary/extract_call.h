// Summaries made of a text's own sentences. With a model made for embeddings its encoder is read;
// with any other the sentences are scored by their words and places alone, which measured better
// than the states of a translation model (docs/summarization.md).
#pragma once

#include "engine/tasks/call_environment.h"
#include "engine/tasks/summary_types.h"

namespace attend {

// As RunSummarize; the input's mode is not looked at.
void RunExtract(CallEnvironment environment, SummarizeInput input, Done<SummarizeOutput> done);

}  // namespace attend
