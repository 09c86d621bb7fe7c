// Which languages a model translates between, and what it must be told to do so. Three kinds: a
// bilingual model (one pair, nothing to tell), a multilingual one (a token for each language), and
// one that is told by a task prefix which pair is meant (T5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/tasks/language_codes.h"
#include "engine/tasks/source_encoder.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

// A pair that a prefix asks for.
struct PrefixedPair {
  LanguagePair pair;
  std::string prefix;
};

// How one pair is translated.
struct TranslationRoute {
  LanguagePair pair;  // BCP-47
  SourceFrame source;
  const TokenizerLanguage* target = nullptr;  // whose token a translation begins with; borrowed
};

class ModelLanguages {
 public:
  ModelLanguages() = default;
  // Borrows the tokenizer's languages. `own`: what the checkpoint says of itself, either may be
  // empty.
  ModelLanguages(LanguagePair own, absl::Span<const TokenizerLanguage> languages,
                 std::vector<PrefixedPair> prefixed);

  // `wanted`: canonical (ParseLanguageCode), of BCP-47 codes or of the model's own names; what is
  // empty is the checkpoint's default. PairNotServed, naming `model`; INVALID_ARGUMENT /
  // LANGUAGE_CODE_INVALID with `field` + "target_language_code" (or source) where the model needs
  // to be told and has no default.
  absl::StatusOr<TranslationRoute> Route(const LanguagePair& wanted, const std::string& model,
                                         std::string_view field) const;

  // Whether Route would find the languages given; a language left out counts as served.
  bool Serves(const LanguagePair& wanted) const;
  // The same as a status: PairNotServed.
  absl::Status CheckServes(const LanguagePair& wanted, const std::string& model) const;
  // How many of the two languages given are served by name, not by "en-GB" for "en".
  int ExactMatches(const LanguagePair& wanted) const;

  // Pairs of a bilingual or a prefixed model; empty where any of languages() goes with any other.
  std::vector<LanguagePair> pairs() const;
  absl::Span<const TokenizerLanguage> languages() const { return languages_; }
  // What the checkpoint says of itself: chooses abbreviations where a caller names no language.
  const LanguagePair& own() const { return own_; }
  // The language's token, nullptr when there is none of that name or code.
  const TokenizerLanguage* Find(std::string_view wanted) const;

 private:
  const PrefixedPair* FindPrefixed(const LanguagePair& wanted) const;

  LanguagePair own_;
  absl::Span<const TokenizerLanguage> languages_;
  std::vector<std::string> names_;  // of languages_, canonical
  std::vector<PrefixedPair> prefixed_;
};

// A model that may serve a call.
struct LanguageCandidate {
  std::string model;
  const ModelLanguages* languages = nullptr;  // borrowed
};

// The candidate that serves the pair: the best match, then the first. PairNotServed when none does;
// INVALID_ARGUMENT / OPTION_OUT_OF_RANGE with field config.model when no language is given and
// there are several to choose from.
absl::StatusOr<std::string> ChooseByLanguages(const LanguagePair& wanted,
                                              absl::Span<const LanguageCandidate> candidates);

// NOT_FOUND / LANGUAGE_PAIR_NOT_SERVED. Metadata source, target, and served: the first 20 of pairs
// ("en>fr") and of multilingual models' languages ("en").
absl::Status PairNotServed(const LanguagePair& wanted,
                           absl::Span<const LanguageCandidate> candidates);

}  // namespace attend
