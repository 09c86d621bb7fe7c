// Callers' names are checked for form here, and for existence by the engine.
#include "server/convert/names.h"

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "server/server_options.h"  // IsModelName

namespace attend::server {

absl::StatusOr<std::string> ParseModelName(const std::string& name, std::string_view field,
                                           bool may_be_empty) {
  constexpr std::string_view kPrefix = "models/";
  if (name.empty()) {
    if (may_be_empty) return std::string();
    return InvalidField("MODEL_NAME_INVALID", field,
                        "a model is required, for example \"models/en-fr\"");
  }
  std::string id = name;
  if (std::string_view(name).substr(0, kPrefix.size()) == kPrefix) id = name.substr(kPrefix.size());
  if (!IsModelName(id)) {
    return InvalidField("MODEL_NAME_INVALID", field,
                        "not a model's resource name; expected \"models/{model}\" with letters, "
                        "digits, '.', '_' and "
                        "'-', for example \"models/en-fr\"");
  }
  return id;
}

absl::StatusOr<OffsetUnit> ParseOffsetUnit(attend::v1::OffsetUnit unit, std::string_view field) {
  switch (static_cast<int>(unit)) {
    case attend::v1::OFFSET_UNIT_UNSPECIFIED:
    case attend::v1::OFFSET_UNIT_BYTE:
      return OffsetUnit::kByte;
    case attend::v1::OFFSET_UNIT_UTF16:
      return OffsetUnit::kUtf16;
    case attend::v1::OFFSET_UNIT_CODE_POINT:
      return OffsetUnit::kCodePoint;
    default:
      return UnknownEnumValue(field, unit);
  }
}

absl::Status UnknownEnumValue(std::string_view field, int value) {
  return InvalidField("OPTION_OUT_OF_RANGE", field,
                      absl::StrCat("value ", value, " is not known to this server"));
}

}  // namespace attend::server
