// What every tokenizer shares besides the interface.
#include "engine/tokenizers/tokenizer.h"

#include <algorithm>

namespace attend {

EncodedText Tokenizer::EncodeIn(std::string_view text, TextSide side,
                                const TokenizerLanguage&) const {
  return Encode(text, side);
}

void TruncateKeepingEnd(EncodedText* text, int64_t max_tokens) {
  std::vector<EncodedToken>& tokens = text->tokens;
  const auto limit = static_cast<size_t>(std::max<int64_t>(max_tokens, 0));
  if (tokens.size() <= limit) return;
  const auto closing = std::min(static_cast<size_t>(text->num_closing_tokens), limit);
  std::move(tokens.end() - static_cast<ptrdiff_t>(closing), tokens.end(),
            tokens.begin() + static_cast<ptrdiff_t>(limit - closing));
  tokens.resize(limit);
}

}  // namespace attend
