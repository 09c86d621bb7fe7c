// Source texts → token ids with whatever the model wants around them: a language token, or a task
// prefix ("translate English to French: ").
#pragma once

#include <string>
#include <string_view>

#include "engine/tokenizers/tokenizer.h"

namespace attend {

// What a model is told besides the text.
struct SourceFrame {
  const TokenizerLanguage* language = nullptr;  // of the text; the tokenizer's own, borrowed
  std::string prefix;                           // put before the text
};

class SourceEncoder {
 public:
  // Borrows the tokenizer.
  explicit SourceEncoder(const Tokenizer* tokenizer, SourceFrame frame = SourceFrame());

  // Spans count in `text`. The tokens of the prefix come first and count as special: they stand for
  // no part of the text.
  EncodedText Encode(std::string_view text) const;

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const SourceFrame& frame() const { return frame_; }
  // How many tokens stand before every text, whatever it is ([CLS], a language token, the prefix).
  size_t num_leading() const { return num_leading_; }

 private:
  EncodedText EncodeFramed(std::string_view text) const;

  const Tokenizer* tokenizer_;
  SourceFrame frame_;
  size_t num_leading_ = 0;
};

}  // namespace attend
