// Errors that more than one call can give, worded once.
#include "engine/tasks/call_checks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/call_errors.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/text/offset_map.h"         // IsValidUtf8
#include "engine/text/sentence_splitter.h"  // SplitSentences

namespace attend {
namespace {

const char* CapabilityName(ModelCapability capability) {
  switch (capability) {
    case ModelCapability::kTranslation:
      return "translation";
    case ModelCapability::kSummarization:
      return "summarization";
    case ModelCapability::kEmbedding:
      return "embedding";
    case ModelCapability::kAttention:
      return "attention";
  }
  return "?";
}

}  // namespace

absl::Status CheckStillWanted(const CallEnvironment& environment) {
  const CallContext& context = environment.context;
  if (context.cancelled != nullptr && context.cancelled->load()) {
    return absl::CancelledError("the caller cancelled the call");
  }
  if (context.deadline <= absl::Now()) return DeadlinePassed(0);
  if (environment.stop->load()) return ShuttingDown("server");
  return absl::OkStatus();
}

// The splitter covers every byte that is not white space.
bool IsBlank(std::string_view text) { return SplitSentences(text, "").empty(); }

absl::Status InputTooLong(std::string_view field, std::string_view unit, int64_t found,
                          int64_t limit) {
  ErrorDetail detail;
  detail.reason = "INPUT_TOO_LONG";
  detail.field = std::string(field);
  detail.metadata = {{std::string(unit), std::to_string(found)}, {"limit", std::to_string(limit)}};
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("the text has ", found, " ", std::string(unit), "; at most ", limit,
                                " are taken"),
                   std::move(detail));
}

absl::Status CheckText(std::string_view text, const EngineLimits& limits, std::string_view field) {
  if (static_cast<int64_t>(text.size()) > limits.max_text_bytes) {
    return InputTooLong(field, "bytes", static_cast<int64_t>(text.size()), limits.max_text_bytes);
  }
  if (!IsValidUtf8(text))
    return InvalidField("OPTION_OUT_OF_RANGE", field, "the text is not valid UTF-8");
  return absl::OkStatus();
}

absl::Status CheckTextPresent(std::string_view text, const EngineLimits& limits,
                              std::string_view field) {
  ATTEND_RETURN_IF_ERROR(CheckText(text, limits, field));
  if (IsBlank(text)) return InvalidField("EMPTY_INPUT", field, "the text is empty or blank");
  return absl::OkStatus();
}

absl::Status CheckCapability(const TaskModel& model, ModelCapability capability) {
  const auto& has = model.spec->capabilities;
  if (std::find(has.begin(), has.end(), capability) != has.end()) return absl::OkStatus();
  ErrorDetail detail;
  detail.reason = "CAPABILITY_MISSING";
  detail.metadata = {{"capability", CapabilityName(capability)},
                     {"architecture", model.spec->architecture}};
  detail.resource_type = "CAPABILITY";
  detail.resource_name = CapabilityName(capability);
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("model ", model.name, " (", model.spec->architecture, ") does no ",
                                CapabilityName(capability)),
                   std::move(detail));
}

absl::Status CheckVocabulary(absl::Span<const int32_t> ids, int64_t vocab_size,
                             const TaskModel& model) {
  for (int32_t id : ids) {
    if (id >= 0 && id < vocab_size) continue;
    ErrorDetail detail;
    detail.reason = "MODEL_FAILED";
    const std::string cause =
        absl::StrCat("the tokenizer gave id ", id, ", the model's vocabulary has ", vocab_size);
    detail.metadata = {{"cause", cause}};
    detail.resource_type = "attend.v1.Model";
    detail.resource_name = model.name;
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     absl::StrCat("model ", model.name, ": ", cause), std::move(detail));
  }
  return absl::OkStatus();
}

}  // namespace attend
