// The prefix is encoded together with the text, as transformers' pipelines do: the two may share a
// token's white space, so encoding them apart could give other ids.
#include "engine/tasks/source_encoder.h"

#include <utility>

namespace attend {

SourceEncoder::SourceEncoder(const Tokenizer* tokenizer, SourceFrame frame)
    : tokenizer_(tokenizer), frame_(std::move(frame)) {
  for (const EncodedToken& token : Encode("").tokens) {
    if (!token.special || token.id == tokenizer_->eos_id()) break;
    ++num_leading_;
  }
}

EncodedText SourceEncoder::EncodeFramed(std::string_view text) const {
  return frame_.language != nullptr
             ? tokenizer_->EncodeIn(text, TextSide::kSource, *frame_.language)
             : tokenizer_->Encode(text, TextSide::kSource);
}

EncodedText SourceEncoder::Encode(std::string_view text) const {
  if (frame_.prefix.empty()) return EncodeFramed(text);
  const auto shift = static_cast<uint32_t>(frame_.prefix.size());
  EncodedText encoded = EncodeFramed(frame_.prefix + std::string(text));
  for (EncodedToken& token : encoded.tokens) {
    if (token.special) continue;
    if (token.span.end <= shift) {
      token.special = true;
      token.span = {};
    } else {
      token.span = {token.span.begin > shift ? token.span.begin - shift : 0,
                    token.span.end - shift};
    }
  }
  return encoded;
}

}  // namespace attend
