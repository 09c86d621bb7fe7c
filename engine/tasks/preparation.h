// Where a call is prepared: its texts checked, cut into sentences and tokenised.
#pragma once

#include <cstddef>
#include <functional>

#include "engine/tasks/call_environment.h"

namespace attend {

// Calls `step` until it gives false. A call of few bytes of text is prepared on the calling thread,
// which is quicker than handing it over. A larger one runs on the engine's own preparing thread,
// step by step in turn with other calls: 64 texts of the largest size take a good part of a second,
// in which the calling thread would answer nobody else.
void PrepareInSteps(const CallEnvironment& environment, size_t num_bytes,
                    std::function<bool()> step);

}  // namespace attend
