// Summaries between the wire and the engine.
#pragma once

#include "absl/status/statusor.h"
#include "attend/v1/summarization.pb.h"
#include "engine/engine.h"
#include "engine/text/offset_map.h"
#include "server/convert/text_context.h"

namespace attend::server {

// Everything but the texts. Field paths in errors start with "config.". An option of the other mode
// is INVALID_ARGUMENT / OPTION_NOT_APPLICABLE: a caller who sets it expects something of it.
absl::StatusOr<SummarizeInput> ParseSummarizationConfig(
    const attend::v1::SummarizationConfig& config);
// The unit that the config asks for.
absl::StatusOr<OffsetUnit> ParseOffsetUnit(const attend::v1::SummarizationConfig& config);

// What an answer does not say of itself.
struct SummaryContext {
  TextContext text;
  SummaryMode mode;
};

void ToProto(const attend::Summary& summary, const SummaryContext& context, attend::v1::Summary* out);
void ToProto(const SummarizeOutcome& outcome, const SummaryContext& context,
             attend::v1::SummarizeOutcome* out);

}  // namespace attend::server
