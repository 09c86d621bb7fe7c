// Tokens never go back from one byte to the next, so each token's bytes lie together, and the spans
// put end to end are the text.
#include "engine/tokenizers/decoded_text_builder.h"

#include <utility>

#include "engine/base/check.h"
#include "engine/tokenizers/mapped_text.h"

namespace attend {

void DecodedTextBuilder::Append(std::string_view bytes, uint32_t token) {
  ATTEND_CHECK(tokens_.empty() || tokens_.back() <= token, "tokens must be appended in order");
  text_.append(bytes);
  tokens_.resize(text_.size(), token);
}

void DecodedTextBuilder::Append(const DecodedTextBuilder& other) {
  ATTEND_CHECK(tokens_.empty() || other.empty() || tokens_.back() <= other.tokens_.front(),
               "tokens must be appended in order");
  text_.append(other.text_);
  tokens_.insert(tokens_.end(), other.tokens_.begin(), other.tokens_.end());
}

void DecodedTextBuilder::ReplaceAll(std::string_view from, std::string_view to) {
  size_t found = text_.find(from);
  if (found == std::string::npos) return;
  const size_t part = from.find(to);
  std::string text;
  std::vector<uint32_t> tokens;
  size_t copied = 0;
  for (; found != std::string::npos; found = text_.find(from, copied)) {
    text.append(text_, copied, found - copied);
    tokens.insert(tokens.end(), tokens_.begin() + copied, tokens_.begin() + found);
    text.append(to);
    for (size_t i = 0; i < to.size(); ++i) {
      tokens.push_back(part == std::string_view::npos ? tokens_[found] : tokens_[found + part + i]);
    }
    copied = found + from.size();
  }
  text.append(text_, copied, std::string::npos);
  tokens.insert(tokens.end(), tokens_.begin() + copied, tokens_.end());
  text_ = std::move(text);
  tokens_ = std::move(tokens);
}

void DecodedTextBuilder::Strip() {
  const auto [begin, end] = StripSpan(text_, {0, static_cast<uint32_t>(text_.size())}, true, true);
  text_ = text_.substr(begin, end - begin);
  tokens_.erase(tokens_.begin() + end, tokens_.end());
  tokens_.erase(tokens_.begin(), tokens_.begin() + begin);
}

void DecodedTextBuilder::CleanUpSpaces() {
  for (const std::string_view from : {" .", " ?", " !", " ,"}) ReplaceAll(from, from.substr(1));
  ReplaceAll(" ' ", "'");
  for (const std::string_view from : {" n't", " 'm", " 's", " 've", " 're"})
    ReplaceAll(from, from.substr(1));
}

DecodedText DecodedTextBuilder::Build(size_t num_tokens) && {
  DecodedText decoded;
  decoded.spans.resize(num_tokens);
  uint32_t at = 0;
  for (uint32_t token = 0; token < num_tokens; ++token) {
    const uint32_t begin = at;
    while (at < tokens_.size() && tokens_[at] == token) ++at;
    decoded.spans[token] = {begin, at};
  }
  ATTEND_CHECK(at == text_.size(), "a byte belongs to no token");
  decoded.text = std::move(text_);
  return decoded;
}

}  // namespace attend
