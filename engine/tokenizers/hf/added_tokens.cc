// At each place the longest token wins, and the search goes on behind it; a token whose
// surroundings are not as it asks is passed over.
#include "engine/tokenizers/hf/added_tokens.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/hf/unicode_forms.h"

namespace attend {
namespace {

bool EndsWithWord(std::string_view text) {
  return !text.empty() &&
         IsWordCharacter(CodePointBefore(text, static_cast<uint32_t>(text.size())).value);
}

bool StartsWithWord(std::string_view text) {
  return !text.empty() && IsWordCharacter(CodePointAt(text, 0).value);
}

}  // namespace

absl::StatusOr<AddedToken> ReadAddedToken(const Json& json) {
  AddedToken token;
  ATTEND_ASSIGN_OR_RETURN(token.content, json.GetString("content"));
  ATTEND_ASSIGN_OR_RETURN(token.special, json.GetBoolOr("special", false));
  ATTEND_ASSIGN_OR_RETURN(token.normalized, json.GetBoolOr("normalized", !token.special));
  ATTEND_ASSIGN_OR_RETURN(token.lstrip, json.GetBoolOr("lstrip", false));
  ATTEND_ASSIGN_OR_RETURN(token.rstrip, json.GetBoolOr("rstrip", false));
  ATTEND_ASSIGN_OR_RETURN(token.single_word, json.GetBoolOr("single_word", false));
  return token;
}

void AddedTokens::Build(const std::vector<AddedToken>& tokens, const HfNormalizer* normalizer) {
  normalizer_ = normalizer;
  for (const AddedToken& token : tokens) {
    if (token.content.empty() || by_content_.count(token.content) > 0) continue;
    by_content_.emplace(token.content, tokens_.size());
    by_id_.emplace(token.id, tokens_.size());
    tokens_.push_back(token);
  }
  std::vector<std::pair<std::string, int32_t>> spelt;
  std::vector<std::pair<std::string_view, int32_t>> verbatim, normalized;
  spelt.reserve(tokens_.size());
  std::unordered_set<std::string> known;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (!tokens_[i].normalized) {
      verbatim.emplace_back(tokens_[i].content, static_cast<int32_t>(i));
      continue;
    }
    AlignedText content(tokens_[i].content);
    if (normalizer != nullptr) normalizer->Normalize(&content);
    const bool is_new = known.insert(std::string(content.text())).second;
    if (!content.empty() && is_new) spelt.emplace_back(content.text(), static_cast<int32_t>(i));
  }
  for (const auto& [content, index] : spelt) normalized.emplace_back(content, index);
  verbatim_.Build(std::move(verbatim));
  normalized_.Build(std::move(normalized));
}

const AddedToken* AddedTokens::Find(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::Find(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  return found == by_content_.end() ? nullptr : &tokens_[found->second];
}

std::vector<AddedTokens::Match> AddedTokens::FindMatches(std::string_view text,
                                                         const ByteTrie& trie) const {
  std::vector<Match> matches;
  const auto size = static_cast<uint32_t>(text.size());
  uint32_t seen = 0;
  for (uint32_t at = 0; at < size && !trie.empty();) {
    const uint32_t length = trie.LongestPrefix(text.substr(at));
    if (length == 0) {
      ++at;
      continue;
    }
    ByteSpan range = {at, at + length};
    at = range.end;
    const int32_t index = trie.Find(text.substr(range.begin, length));
    const AddedToken& token = tokens_[static_cast<size_t>(index)];
    if (token.single_word &&
        (EndsWithWord(text.substr(0, range.begin)) || StartsWithWord(text.substr(range.end)))) {
      continue;
    }
    while (token.lstrip && range.begin > seen) {
      const CodePoint c = CodePointBefore(text, range.begin);
      if (!IsWhiteSpace(c.value)) break;
      range.begin = c.begin;
    }
    while (token.rstrip && range.end < size) {
      const CodePoint c = CodePointAt(text, range.end);
      if (!IsWhiteSpace(c.value)) break;
      range.end = c.end;
    }
    if (range.begin < seen) continue;  // inside white space that the last one took
    if (seen < range.begin) matches.push_back({{seen, range.begin}, -1});
    matches.push_back({range, index});
    seen = range.end;
  }
  if (seen < size) matches.push_back({{seen, size}, -1});
  return matches;
}

void AddedTokens::Split(const ByteTrie& trie, std::vector<TextPart>* parts) const {
  std::vector<TextPart> out;
  for (TextPart& part : *parts) {
    if (part.added_token >= 0) {
      out.push_back(std::move(part));
      continue;
    }
    for (const Match& match : FindMatches(part.text.text(), trie)) {
      const int32_t id = match.token < 0 ? -1 : tokens_[static_cast<size_t>(match.token)].id;
      out.push_back({part.text.Slice(match.range), id});
    }
  }
  *parts = std::move(out);
}

std::vector<TextPart> AddedTokens::SplitAndNormalize(std::string_view text) const {
  std::vector<TextPart> parts;
  parts.push_back({AlignedText(text), -1});
  Split(verbatim_, &parts);
  if (normalizer_ != nullptr) {
    for (TextPart& part : parts) {
      if (part.added_token < 0) normalizer_->Normalize(&part.text);
    }
  }
  Split(normalized_, &parts);
  return parts;
}

}  // namespace attend
