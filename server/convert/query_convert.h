// Queries between the wire and the engine, spans in the caller's unit.
#pragma once

#include "absl/status/statusor.h"
#include "attend/v1/attention.pb.h"
#include "engine/engine.h"
#include "engine/text/offset_map.h"

namespace attend::server {

// Errors with field paths of the request. Spans of a text that the engine will refuse anyway
// (empty, or longer than the limit) are not looked at, so that the text's own error is the one
// told.
absl::StatusOr<QueryAttentionInput> ParseQuery(const attend::v1::QueryAttentionRequest& request,
                                               OffsetUnit unit, const EngineLimits& limits);

// Everything but the cost. `map` is of the request's text.
void ToProto(const QueryAttentionOutput& output, const OffsetMap& map,
             attend::v1::QueryAttentionResponse* out);

}  // namespace attend::server
