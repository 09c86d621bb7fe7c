#include "engine/tasks/summary/summarize_task.h"

#include <utility>

#include "engine/tasks/summary/abstract_call.h"
#include "engine/tasks/summary/extract_call.h"

namespace attend {

void RunSummarize(CallEnvironment environment, SummarizeInput input, Done<SummarizeOutput> done) {
  if (input.mode == SummaryMode::kExtractive) {
    RunExtract(std::move(environment), std::move(input), std::move(done));
  } else {
    RunAbstract(std::move(environment), std::move(input), std::move(done));
  }
}

}  // namespace attend
