// Translation between the wire and the engine.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "attend/v1/translation.pb.h"
#include "engine/engine.h"
#include "engine/text/offset_map.h"
#include "server/convert/text_context.h"

namespace attend::server {

// Everything but the texts. Field paths in errors start with "config.".
absl::StatusOr<TranslateInput> ParseTranslationConfig(const attend::v1::TranslationConfig& config);
// The unit that the config asks for.
absl::StatusOr<OffsetUnit> ParseOffsetUnit(const attend::v1::TranslationConfig& config);

void ToProto(const Translation& translation, const TextContext& context,
             attend::v1::Translation* out);
void ToProto(const TranslateOutcome& outcome, const TextContext& context,
             attend::v1::TranslateOutcome* out);

}  // namespace attend::server
