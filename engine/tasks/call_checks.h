// Checks and errors that several tasks share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/models/model_spec.h"
#include "engine/tasks/call_environment.h"

namespace attend {

// CANCELLED or DEADLINE_EXCEEDED when the caller no longer waits, SHUTTING_DOWN when the engine has
// stopped the call.
absl::Status CheckStillWanted(const CallEnvironment& environment);

// White space of any script, zero-width and byte-order marks included: nothing that a model could
// read.
bool IsBlank(std::string_view text);

// INVALID_ARGUMENT / INPUT_TOO_LONG, metadata: `unit` (what there is) and limit.
absl::Status InputTooLong(std::string_view field, std::string_view unit, int64_t found,
                          int64_t limit);

// INPUT_TOO_LONG when the text has too many bytes; INVALID_ARGUMENT when it is not UTF-8.
absl::Status CheckText(std::string_view text, const EngineLimits& limits, std::string_view field);

// INVALID_ARGUMENT / EMPTY_INPUT for a blank text, on top of CheckText.
absl::Status CheckTextPresent(std::string_view text, const EngineLimits& limits,
                              std::string_view field);

// The model is asked for what it cannot do: FAILED_PRECONDITION / CAPABILITY_MISSING.
absl::Status CheckCapability(const TaskModel& model, ModelCapability capability);

// A tokenizer that gives ids which its model lacks is a broken model folder: FAILED_PRECONDITION /
// MODEL_FAILED.
absl::Status CheckVocabulary(absl::Span<const int32_t> ids, int64_t vocab_size,
                             const TaskModel& model);

}  // namespace attend
