// Json's origin is "FILE: key 'KEY'" already; the errors want the two apart.
#include "engine/tokenizers/hf/json_place.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "engine/checkpoint/checkpoint_error.h"

namespace attend {
namespace {

template <typename MakeError>
absl::Status AtValue(const Json& value, std::string_view what, const MakeError& make_error) {
  constexpr std::string_view kSeparator = ": ";
  const std::string_view origin = value.origin();
  const size_t separator = origin.find(kSeparator);
  if (separator == std::string_view::npos) return make_error({origin, {}}, what);
  const std::string_view key = origin.substr(separator + kSeparator.size());
  return make_error({origin.substr(0, separator), {}},
                    absl::StrCat(std::string(key), ": ", std::string(what)));
}

}  // namespace

absl::Status CorruptValue(const Json& value, std::string_view what) {
  return AtValue(value, what, CorruptCheckpoint);
}

absl::Status UnsupportedValue(const Json& value, std::string_view what) {
  return AtValue(value, what, UnsupportedCheckpoint);
}

absl::Status UnknownKind(const Json& value, std::string_view kind) {
  return UnsupportedValue(
      value, absl::StrCat("the kind '", Printable(kind), "' is not known to this version"));
}

}  // namespace attend
