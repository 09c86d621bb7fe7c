// The tokenizers that are made from one SentencePiece model: T5, Pegasus, mBART, mBART-50, M2M100
// and NLLB (sentencepiece_kind.h). Gives what transformers' slow tokenizers give (4.48), quirks
// included: special tokens written out in a text become special tokens.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/load_report.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/tokenizers/mapped_text.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_kind.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_model.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_vocabulary.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

class SentencePieceTokenizer : public Tokenizer {
 public:
  // Errors as tokenizer_factory.h says.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const ModelDirectory& directory,
                                                         LoadReport* report);

  EncodedText Encode(std::string_view text, TextSide side) const override;
  EncodedText EncodeIn(std::string_view text, TextSide side,
                       const TokenizerLanguage& language) const override;
  DecodedText Decode(absl::Span<const int32_t> ids, TextSide side,
                     bool keep_special) const override;
  std::string Piece(int32_t id, TextSide side) const override;
  bool IsSpecial(int32_t id) const override;
  int64_t vocab_size() const override { return vocabulary_.size(); }
  int32_t eos_id() const override { return vocabulary_.eos_id(); }
  std::string source_language() const override { return source_code_; }
  std::string target_language() const override { return target_code_; }
  absl::Span<const TokenizerLanguage> languages() const override { return vocabulary_.languages(); }
  int64_t max_length() const override { return max_length_; }

 private:
  SentencePieceTokenizer() = default;
  absl::Status ChooseLanguages(const TokenizerConfig& config);
  EncodedText EncodeWith(std::string_view text, const TokenizerLanguage* language) const;
  std::vector<EncodedToken> EncodeBody(std::string_view text) const;
  // The text as T5's newer behaviour cuts it.
  MappedText Prepare(std::string_view text) const;
  void EncodeSegment(std::string_view text, ByteSpan segment,
                     std::vector<EncodedToken>* tokens) const;
  EncodedToken TokenAt(int32_t id, ByteSpan span) const;
  EncodedToken SpecialToken(int32_t id, uint32_t at) const;

  SentencePieceKind kind_;
  std::unique_ptr<SentencePieceModel> model_;
  SentencePieceVocabulary vocabulary_;
  // T5 with "legacy": false. Each segment is cut behind the unknown token's text, whose pieces are
  // then taken off, so that only what stands after a space begins with one.
  bool guards_segments_ = false;
  bool adds_space_ = false;  // T5: in front of every text
  std::string guard_;        // the text of the unknown token
  size_t num_guard_pieces_ = 0;
  bool clean_up_spaces_ = false;
  const TokenizerLanguage* source_ = nullptr;  // of vocabulary_.languages(); null: no token
  const TokenizerLanguage* target_ = nullptr;
  std::string source_code_, target_code_;
  int64_t max_length_ = TokenizerConfig::kUnlimited;
};

}  // namespace attend
