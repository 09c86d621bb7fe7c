// The tokens by which multilingual tokenizers tell the language of a text: which languages the
// known checkpoints have, in transformers' order, and how a language's token is spelt.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

enum class LanguageList {
  kMBart,    // "fr_XX"; 25 languages
  kMBart50,  // the same and 27 more
  kM2M100,   // "fr", whose token is "__fr__"
  kWmt21,    // the same spelling; 8 languages
  kNllb,     // "fra_Latn"
};

// In the order of their ids. They live for ever.
absl::Span<const std::string_view> LanguageNames(LanguageList list);

// The token of a language: "fr" → "__fr__", all others are their own names.
std::string LanguageToken(std::string_view name);

// The language whose token this is, told by the spelling alone, so that languages outside of the
// lists count too: "__fr__" → "fr", "fr_XX" → "fr_XX", "fra_Latn" → "fra_Latn". Empty for other
// tokens; else a part of `token`.
std::string_view LanguageOfToken(std::string_view token);

// Languages by name and token id → what Tokenizer::languages() gives: in the order of the ids, with
// BCP-47 codes that no two of them share. Names that no code can be made of are codes themselves.
std::vector<TokenizerLanguage> MakeLanguages(std::vector<std::pair<std::string, int32_t>> named);

// Null when there is none of that name.
const TokenizerLanguage* FindLanguage(absl::Span<const TokenizerLanguage> languages,
                                      std::string_view name);

}  // namespace attend
