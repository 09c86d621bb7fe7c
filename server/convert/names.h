// Resource names and enum values as callers write them, checked.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "attend/v1/common.pb.h"
#include "engine/text/offset_map.h"

namespace attend::server {

// "models/en-fr" or "en-fr" → "en-fr". INVALID_ARGUMENT / MODEL_NAME_INVALID at `field` for
// anything that cannot be a name, and for an empty one unless `may_be_empty`.
absl::StatusOr<std::string> ParseModelName(const std::string& name, std::string_view field,
                                           bool may_be_empty);

inline std::string ModelResourceName(const std::string& name) { return "models/" + name; }

absl::StatusOr<OffsetUnit> ParseOffsetUnit(attend::v1::OffsetUnit unit, std::string_view field);

// INVALID_ARGUMENT / OPTION_OUT_OF_RANGE for an enum value that this version does not know.
absl::Status UnknownEnumValue(std::string_view field, int value);

// Protobuf's unsigned numbers as the engine's int; too large ones become the largest int, which
// every limit refuses.
inline int ToInt(uint32_t value) {
  return value > 0x7fffffffu ? 0x7fffffff : static_cast<int>(value);
}

}  // namespace attend::server
