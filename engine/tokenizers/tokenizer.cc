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
  if (limit > 0) std::swap(tokens[limit - 1], tokens.back());
  tokens.resize(limit);
}

}  // namespace attend
