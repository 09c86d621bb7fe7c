// Errors about a value of a JSON file that has the right type and still cannot be used; they name
// file and key, as those of Json do.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "engine/checkpoint/json.h"

namespace attend {

// DATA_LOSS: "FILE: key 'KEY': what".
absl::Status CorruptValue(const Json& value, std::string_view what);
// UNIMPLEMENTED, in the same form.
absl::Status UnsupportedValue(const Json& value, std::string_view what);
// UNIMPLEMENTED: "unknown kind 'X'", for objects told apart by their member "type".
absl::Status UnknownKind(const Json& value, std::string_view kind);

}  // namespace attend
