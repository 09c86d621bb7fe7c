// How text is to be written and why it ended, between the wire and the engine. Ranges are the
// engine's business; what only the wire can get wrong (unknown enum values) is refused here.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "attend/v1/common.pb.h"
#include "engine/engine.h"
#include "engine/generation/generation_options.h"

namespace attend::server {

// Field paths in errors are relative to the message: "early_stopping".
absl::StatusOr<GenerationOverrides> ParseDecodingOptions(
    const attend::v1::DecodingOptions& options);

absl::StatusOr<OverflowPolicy> ParseOverflowPolicy(attend::v1::OverflowPolicy policy,
                                                   std::string_view field);
attend::v1::FinishReason ToProto(FinishReason reason);

}  // namespace attend::server
