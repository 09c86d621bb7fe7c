// A code matches a language by the model's own name for it, by its BCP-47 code, or, failing both,
// by a code of which one is the other with subtags left off.
#include "engine/tasks/model_languages.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

constexpr size_t kMostListed = 20;  // languages or pairs in an error

std::string Canonical(std::string_view code) {
  auto parsed = ParseLanguageCode(code, "");
  return parsed.ok() ? *std::move(parsed) : std::string();
}

std::string Spell(const LanguagePair& pair) {
  return absl::StrCat(pair.source.empty() ? "?" : pair.source, ">",
                      pair.target.empty() ? "?" : pair.target);
}

absl::Status MustBeNamed(const std::string& model, std::string_view field,
                         const std::string& side) {
  ErrorDetail detail;
  detail.reason = "LANGUAGE_CODE_INVALID";
  detail.field = absl::StrCat(std::string(field), side, "_language_code");
  detail.metadata = {{"model", model}, {"code", ""}};
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("model ", model, " translates between several languages: name the ",
                                side, " language"),
                   std::move(detail));
}

}  // namespace

ModelLanguages::ModelLanguages(LanguagePair own, absl::Span<const TokenizerLanguage> languages,
                               std::vector<PrefixedPair> prefixed)
    : own_(std::move(own)), languages_(languages), prefixed_(std::move(prefixed)) {
  for (const TokenizerLanguage& language : languages_) names_.push_back(Canonical(language.name));
}

const TokenizerLanguage* ModelLanguages::Find(std::string_view wanted) const {
  if (wanted.empty()) return nullptr;
  for (size_t i = 0; i < languages_.size(); ++i) {
    if (languages_[i].code == wanted) return &languages_[i];
  }
  for (size_t i = 0; i < languages_.size(); ++i) {
    if (names_[i] == wanted) return &languages_[i];
  }
  for (const TokenizerLanguage& language : languages_) {
    if (!language.code.empty() && LanguageServed(wanted, language.code)) return &language;
  }
  return nullptr;
}

const PrefixedPair* ModelLanguages::FindPrefixed(const LanguagePair& wanted) const {
  for (const PrefixedPair& each : prefixed_) {
    if (LanguageServed(wanted.source, each.pair.source) &&
        LanguageServed(wanted.target, each.pair.target)) {
      return &each;
    }
  }
  return nullptr;
}

bool ModelLanguages::Serves(const LanguagePair& wanted) const {
  if (!languages_.empty()) {
    return (wanted.source.empty() || Find(wanted.source) != nullptr) &&
           (wanted.target.empty() || Find(wanted.target) != nullptr);
  }
  if (!prefixed_.empty()) return FindPrefixed(wanted) != nullptr;
  return LanguageServed(wanted.source, own_.source) && LanguageServed(wanted.target, own_.target);
}

int ModelLanguages::ExactMatches(const LanguagePair& wanted) const {
  const auto names = [&](const std::string& code, const std::string& own,
                         std::string LanguagePair::*side) {
    if (code.empty()) return 0;
    for (size_t i = 0; i < languages_.size(); ++i) {
      if (languages_[i].code == code || names_[i] == code) return 1;
    }
    for (const PrefixedPair& each : prefixed_) {
      if (each.pair.*side == code) return 1;
    }
    return own == code ? 1 : 0;
  };
  return names(wanted.source, own_.source, &LanguagePair::source) +
         names(wanted.target, own_.target, &LanguagePair::target);
}

std::vector<LanguagePair> ModelLanguages::pairs() const {
  std::vector<LanguagePair> out;
  if (!languages_.empty()) return out;
  for (const PrefixedPair& each : prefixed_) out.push_back(each.pair);
  if (prefixed_.empty() && !(own_.source.empty() && own_.target.empty())) out.push_back(own_);
  return out;
}

absl::Status ModelLanguages::CheckServes(const LanguagePair& wanted,
                                         const std::string& model) const {
  if (Serves(wanted)) return absl::OkStatus();
  return PairNotServed(wanted, {{model, this}});
}

absl::StatusOr<TranslationRoute> ModelLanguages::Route(const LanguagePair& wanted,
                                                       const std::string& model,
                                                       std::string_view field) const {
  TranslationRoute route;
  ATTEND_RETURN_IF_ERROR(CheckServes(wanted, model));
  if (!languages_.empty()) {
    const TokenizerLanguage* source = Find(wanted.source.empty() ? own_.source : wanted.source);
    route.target = Find(wanted.target.empty() ? own_.target : wanted.target);
    if (source == nullptr) return MustBeNamed(model, field, "source");
    if (route.target == nullptr) return MustBeNamed(model, field, "target");
    route.source.language = source;
    route.pair = {source->code, route.target->code};
    return route;
  }
  if (!prefixed_.empty()) {
    if (prefixed_.size() > 1 && wanted.target.empty()) return MustBeNamed(model, field, "target");
    const PrefixedPair* found = FindPrefixed(wanted);
    route.pair = found->pair;
    route.source.prefix = found->prefix;
    return route;
  }
  route.pair = own_;
  return route;
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
    const int match =
        candidate.languages->Serves(wanted) ? candidate.languages->ExactMatches(wanted) : -1;
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
  std::vector<std::string> all;
  for (const LanguageCandidate& candidate : candidates) {
    for (const LanguagePair& pair : candidate.languages->pairs()) all.push_back(Spell(pair));
    for (const TokenizerLanguage& language : candidate.languages->languages())
      all.push_back(language.code);
  }
  std::string served = absl::StrJoin(
      all.begin(), all.begin() + static_cast<ptrdiff_t>(std::min(kMostListed, all.size())), ",");
  ErrorDetail detail;
  detail.reason = "LANGUAGE_PAIR_NOT_SERVED";
  detail.metadata = {{"source", wanted.source}, {"target", wanted.target}, {"served", served}};
  detail.resource_type = "attend.v1.LanguagePair";
  detail.resource_name = Spell(wanted);
  if (all.size() > kMostListed)
    absl::StrAppend(&served, " and ", all.size() - kMostListed, " more");
  return MakeError(absl::StatusCode::kNotFound,
                   wanted.target.empty() && !wanted.source.empty()
                       ? absl::StrCat("no model reads ", wanted.source, "; served: ", served)
                       : absl::StrCat("no model translates ", Spell(wanted), "; served: ", served),
                   std::move(detail));
}

}  // namespace attend
