// The meaning of Translate: texts → sentences → one generation request each → text, with words,
// links and attention on request.
#pragma once

#include "engine/tasks/call_environment.h"
#include "engine/tasks/call_types.h"

namespace attend {

// Prepares on the calling thread or, when there is much text, on the engine's; finishes on a
// worker. `done` is called exactly once. The model has been chosen; the input's model and languages
// are not looked at again.
void RunTranslate(CallEnvironment environment, TranslateInput input, Done<TranslateOutput> done);

}  // namespace attend
