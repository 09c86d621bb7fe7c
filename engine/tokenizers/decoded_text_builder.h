// A text under construction in which every byte knows the token that wrote it, through all later
// edits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tokenizers/tokenizer.h"

namespace attend {

class DecodedTextBuilder {
 public:
  // REQUIRES: tokens do not go back.
  void Append(std::string_view bytes, uint32_t token);
  // REQUIRES: its tokens do not go back behind this one's.
  void Append(const DecodedTextBuilder& other);
  bool empty() const { return text_.empty(); }
  // The token that wrote the first byte. REQUIRES: not empty.
  uint32_t first_token() const { return tokens_.front(); }
  // Replaces every `from`, left to right. `to` is either a part of `from`, whose bytes keep their
  // tokens, or belongs to the token of the first byte replaced.
  void ReplaceAll(std::string_view from, std::string_view to);
  // Takes white space off both ends, as Python's str.strip does.
  void Strip();
  // transformers' clean_up_tokenization: takes spaces away before punctuation and English endings.
  void CleanUpSpaces();
  // One span for each of `num_tokens` tokens; of those that wrote nothing, an empty one where it
  // would be.
  DecodedText Build(size_t num_tokens) &&;

 private:
  std::string text_;
  std::vector<uint32_t> tokens_;  // by byte
};

}  // namespace attend
