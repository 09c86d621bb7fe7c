// Errors of a call that several rooms can give, worded once.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"

namespace attend {

// UNAVAILABLE / SHUTTING_DOWN with a retry delay; `what` is shutting down ("server" or "model").
// tokens_done: output tokens that were made in vain, where they are known.
absl::Status ShuttingDown(std::string_view what, std::optional<int64_t> tokens_done = std::nullopt);

// DEADLINE_EXCEEDED with the number of output tokens that were made in vain.
absl::Status DeadlinePassed(int64_t tokens_done);

// RESOURCE_EXHAUSTED / OUT_OF_MEMORY, for who has caught std::bad_alloc; needs no memory itself.
absl::Status OutOfMemory();

// INVALID_ARGUMENT / TOO_MANY_ITEMS for the field texts.
absl::Status TooManyTexts(int64_t texts, int64_t limit);

}  // namespace attend
