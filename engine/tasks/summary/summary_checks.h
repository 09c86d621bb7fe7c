// What is wrong with a summarise call, whatever its mode.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "engine/tasks/call_types.h"
#include "engine/tasks/summary_types.h"

namespace attend {

// INVALID_ARGUMENT / NO_ITEMS or TOO_MANY_ITEMS: of the call. A stream has one text.
absl::Status CheckCount(size_t num_texts, bool is_stream, const EngineLimits& limits);

// INVALID_ARGUMENT / INPUT_TOO_LONG, or not UTF-8: of one text.
absl::Status CheckDocument(std::string_view text, const EngineLimits& limits,
                           std::string_view field);

// INVALID_ARGUMENT / OPTION_OUT_OF_RANGE for a budget or a penalty that nobody can mean.
absl::Status CheckExtraction(const SummarizeInput& input);

}  // namespace attend
