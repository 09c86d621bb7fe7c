// Translation between the wire and the engine.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "attend/v1/translation.pb.h"
#include "engine/engine.h"
#include "engine/text/offset_map.h"

namespace attend::server {

// Everything but the texts. Field paths in errors start with "config.".
absl::StatusOr<TranslateInput> ParseTranslationConfig(const attend::v1::TranslationConfig& config);
// The unit that the config asks for.
absl::StatusOr<OffsetUnit> ParseOffsetUnit(const attend::v1::TranslationConfig& config);

// Which text was translated by what, and how its spans are to count.
struct TranslationContext {
  const std::string& source;
  OffsetUnit unit;
  std::string model_revision;  // "models/en-fr@0123456789abcdef"
};

void ToProto(const Translation& translation, const TranslationContext& context,
             attend::v1::Translation* out);
void ToProto(const TranslateOutcome& outcome, const TranslationContext& context,
             attend::v1::TranslateOutcome* out);
attend::v1::FinishReason ToProto(FinishReason reason);

}  // namespace attend::server
