// Well-formedness follows RFC 5646 as far as translation models need it: language, then script,
// region and variants of one to eight letters or digits. Meaning is not checked: whether a model
// serves a code decides that.
#include "engine/tasks/language_codes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tokenizers/language_code.h"

namespace attend {
namespace {

std::vector<std::string> Subtags(std::string_view code) {
  std::vector<std::string> out(1);
  for (char c : code) {
    if (c == '-' || c == '_') {
      out.emplace_back();
    } else {
      out.back().push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

bool AllOf(const std::string& text, bool (*is)(unsigned char)) {
  return std::all_of(text.begin(), text.end(),
                     [is](char c) { return is(static_cast<unsigned char>(c)); });
}

bool WellFormed(const std::vector<std::string>& subtags) {
  const std::string& language = subtags[0];
  if (language.size() < 2 || language.size() > 8 || !AllOf(language, absl::ascii_isalpha))
    return false;
  return std::all_of(subtags.begin() + 1, subtags.end(), [](const std::string& s) {
    return !s.empty() && s.size() <= 8 && AllOf(s, absl::ascii_isalnum);
  });
}

// "zh-Hans" is "zh-Hans-CN" with subtags left off.
bool IsPrefix(std::string_view shorter, std::string_view longer) {
  return longer.substr(0, shorter.size()) == shorter &&
         (longer.size() == shorter.size() || longer[shorter.size()] == '-');
}

}  // namespace

absl::StatusOr<std::string> ParseLanguageCode(std::string_view code, std::string_view field) {
  if (code.empty()) return std::string();
  std::vector<std::string> subtags =
      code.size() <= 64 ? Subtags(code) : std::vector<std::string>{""};
  if (!WellFormed(subtags)) {
    ErrorDetail detail;
    detail.reason = "LANGUAGE_CODE_INVALID";
    detail.field = std::string(field);
    detail.metadata = {{"code", std::string(code.substr(0, 64))}};
    return MakeError(absl::StatusCode::kInvalidArgument,
                     absl::StrCat("'", std::string(code.substr(0, 64)),
                                  "' is not a BCP-47 language code such as en"),
                     std::move(detail));
  }
  std::string out(ShortestLanguageCode(subtags[0]));
  for (size_t i = 1; i < subtags.size(); ++i) {
    std::string& subtag = subtags[i];
    if (subtag.size() == 4 && AllOf(subtag, absl::ascii_isalpha)) {
      subtag[0] = absl::ascii_toupper(static_cast<unsigned char>(subtag[0]));  // a script
    } else if (subtag.size() == 2) {
      subtag = absl::AsciiStrToUpper(subtag);  // a region
    }
    absl::StrAppend(&out, "-", subtag);
  }
  return out;
}

bool LanguageServed(std::string_view wanted, std::string_view served) {
  return wanted.empty() || served.empty() || IsPrefix(served, wanted) || IsPrefix(wanted, served);
}

}  // namespace attend
