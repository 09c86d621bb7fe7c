// The tokenizers of the `tokenizers` library ("fast" ones): tokenizer.json, or for BERT, BART and
// GPT-2 the older files. Gives what transformers 4.48 gives with them, quirks included: special
// tokens written out in a text become special tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/load_report.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/tokenizers/hf/hf_tokenizer_parts.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

class HfTokenizer : public Tokenizer {
 public:
  // Whether the folder has the files of one.
  static bool CanLoad(const ModelDirectory& directory);
  // tokenizer.json, else vocab.txt, else vocab.json with merges.txt. Errors as tokenizer_factory.h
  // says.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const ModelDirectory& directory,
                                                         LoadReport* report);

  // Of stages that are read; ids that are not below `max_size` are left out.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Make(HfTokenizerConfig config,
                                                         HfTokenizerParts parts, int64_t max_size,
                                                         LoadReport* report);

  EncodedText Encode(std::string_view text, TextSide side) const override;
  EncodedText EncodeIn(std::string_view text, TextSide side,
                       const TokenizerLanguage& language) const override;
  bool encodes_pairs() const override { return true; }
  EncodedText EncodePair(std::string_view first, std::string_view second,
                         int64_t max_tokens) const override;
  DecodedText Decode(absl::Span<const int32_t> ids, TextSide side,
                     bool keep_special) const override;
  std::string Piece(int32_t id, TextSide side) const override;
  bool IsSpecial(int32_t id) const override;
  int64_t vocab_size() const override { return vocab_size_; }
  // Of models without an end of sentence: what stands behind every text (BERT's [SEP]), or -1.
  int32_t eos_id() const override { return eos_id_; }
  std::string source_language() const override { return source_language_; }
  std::string target_language() const override { return target_language_; }
  absl::Span<const TokenizerLanguage> languages() const override { return languages_; }
  int64_t max_length() const override { return config_.max_length; }

 private:
  HfTokenizer(HfTokenizerConfig config, HfTokenizerParts parts)
      : config_(std::move(config)), parts_(std::move(parts)) {}

  absl::Status Build(int64_t max_size, LoadReport* report);
  void CollectAddedTokens(int64_t max_size, LoadReport* report);
  void CollectLanguages();
  void SetLanguageTemplate();
  absl::Status CheckTemplate(int64_t max_size) const;
  int32_t FindId(std::string_view piece) const;  // -1: none
  bool IsLanguage(int32_t id) const;

  std::vector<EncodedToken> EncodeOrdinary(std::string_view text) const;
  EncodedToken SpecialToken(int32_t id, uint32_t at) const;
  // The text in its template; a language token there becomes `language`, unless that is -1.
  EncodedText EncodeWith(std::string_view text, int32_t language) const;

  HfTokenizerConfig config_;
  HfTokenizerParts parts_;
  AddedTokens added_tokens_;
  std::vector<TokenizerLanguage> languages_;
  int32_t source_language_id_ = -1, target_language_id_ = -1;
  std::string source_language_, target_language_;
  int64_t vocab_size_ = 0;
  int32_t eos_id_ = -1;
};

}  // namespace attend
