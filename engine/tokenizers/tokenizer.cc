// What every tokenizer shares besides the interface.
#include "engine/tokenizers/tokenizer.h"

#include <algorithm>

#include "engine/base/check.h"

namespace attend {

EncodedText Tokenizer::EncodeIn(std::string_view text, TextSide side,
                                const TokenizerLanguage&) const {
  return Encode(text, side);
}

EncodedText Tokenizer::EncodePair(std::string_view, std::string_view, int64_t) const {
  ATTEND_CHECK(false, "this tokenizer encodes no pairs");
  return {};
}

void TruncateKeepingEnd(EncodedText* text, int64_t max_tokens) {
  std::vector<EncodedToken>& tokens = text->tokens;
  const auto limit = static_cast<size_t>(std::max<int64_t>(max_tokens, 0));
  if (tokens.size() <= limit) return;
  const size_t num_kept = std::min(limit, text->num_end_tokens);
  std::move(tokens.end() - static_cast<ptrdiff_t>(num_kept), tokens.end(),
            tokens.begin() + static_cast<ptrdiff_t>(limit - num_kept));
  tokens.resize(limit);
}

}  // namespace attend
