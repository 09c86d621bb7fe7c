// attend.v1.DecodingOptions → the engine's GenerationOverrides. Ranges are the engine's business;
// what only the wire can get wrong (unknown enum values) is refused here.
#pragma once

#include "absl/status/statusor.h"
#include "attend/v1/common.pb.h"
#include "engine/generation/generation_options.h"

namespace attend::server {

// Field paths in errors are relative to the message: "early_stopping".
absl::StatusOr<GenerationOverrides> ParseDecodingOptions(
    const attend::v1::DecodingOptions& options);

}  // namespace attend::server
