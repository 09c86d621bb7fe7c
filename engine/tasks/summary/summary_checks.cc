#include "engine/tasks/summary/summary_checks.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/call_errors.h"
#include "engine/base/error.h"
#include "engine/tasks/call_checks.h"
#include "engine/text/offset_map.h"  // IsValidUtf8

namespace attend {

absl::Status CheckCount(size_t num_texts, bool is_stream, const EngineLimits& limits) {
  if (num_texts == 0) return InvalidField("NO_ITEMS", "texts", "there is no text to summarise");
  const size_t limit = is_stream ? 1 : static_cast<size_t>(limits.max_texts);
  if (num_texts <= limit) return absl::OkStatus();
  return TooManyTexts(static_cast<int64_t>(num_texts), static_cast<int64_t>(limit));
}

absl::Status CheckDocument(std::string_view text, const EngineLimits& limits,
                           std::string_view field) {
  const auto bytes = static_cast<int64_t>(text.size());
  if (bytes > limits.max_document_bytes)
    return InputTooLong(field, "bytes", bytes, limits.max_document_bytes);
  if (!IsValidUtf8(text))
    return InvalidField("OPTION_OUT_OF_RANGE", field, "the text is not valid UTF-8");
  return absl::OkStatus();
}

absl::Status CheckExtraction(const SummarizeInput& input) {
  const SummaryBudget& budget = input.budget;
  const auto out_of_range = [](const char* field, const char* expected) {
    return InvalidField("OPTION_OUT_OF_RANGE", std::string("config.") + field,
                        absl::StrCat(field, " must be ", expected));
  };
  if (budget.sentences && *budget.sentences < 1) return out_of_range("sentence_count", "1 or more");
  if (budget.ratio && !(*budget.ratio > 0 && *budget.ratio <= 1))
    return out_of_range("sentence_ratio", "above 0 and at most 1");
  if (budget.characters && *budget.characters < 1)
    return out_of_range("max_characters", "1 or more");
  const auto& penalty = input.redundancy_penalty;
  if (penalty && !(*penalty >= 0 && *penalty <= 1))
    return out_of_range("redundancy_penalty", "from 0 to 1");
  return absl::OkStatus();
}

}  // namespace attend
