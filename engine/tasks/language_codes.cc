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

std::string Spell(const LanguagePair& pair) {
  return absl::StrCat(pair.source.empty() ? "?" : pair.source, ">",
                      pair.target.empty() ? "?" : pair.target);
}

// How many of the two languages are served by name exactly; -1 when the pair is not served.
int Match(const LanguagePair& wanted, const LanguagePair& served) {
  if (!LanguageServed(wanted.source, served.source) ||
      !LanguageServed(wanted.target, served.target))
    return -1;
  return (wanted.source == served.source ? 1 : 0) + (wanted.target == served.target ? 1 : 0);
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

absl::StatusOr<std::string> ChooseByLanguages(const LanguagePair& wanted,
                                              absl::Span<const LanguageCandidate> candidates) {
  if (wanted.source.empty() && wanted.target.empty() && candidates.size() > 1) {
    return InvalidField("OPTION_OUT_OF_RANGE", "config.model",
                        "several models are served: name one, or give the language codes");
  }
  const LanguageCandidate* best = nullptr;
  int best_match = -1;
  for (const LanguageCandidate& candidate : candidates) {
    const int match = Match(wanted, candidate.pair);
    if (match > best_match) {
      best = &candidate;
      best_match = match;
    }
  }
  if (best == nullptr) return PairNotServed(wanted, candidates);
  return best->model;
}

absl::Status PairNotServed(const LanguagePair& wanted,
                           absl::Span<const LanguageCandidate> candidates) {
  constexpr size_t kMostListed = 20;
  std::string served;
  for (size_t i = 0; i < std::min(candidates.size(), kMostListed); ++i) {
    absl::StrAppend(&served, i > 0 ? "," : "", Spell(candidates[i].pair));
  }
  ErrorDetail detail;
  detail.reason = "LANGUAGE_PAIR_NOT_SERVED";
  detail.metadata = {{"source", wanted.source}, {"target", wanted.target}, {"served", served}};
  detail.resource_type = "attend.v1.LanguagePair";
  detail.resource_name = Spell(wanted);
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat("no model translates ", Spell(wanted), "; served: ", served),
                   std::move(detail));
}

}  // namespace attend
