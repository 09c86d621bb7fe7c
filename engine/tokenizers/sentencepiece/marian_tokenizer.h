// The tokenizer of Marian checkpoints (opus-mt): source.spm and target.spm cut text into pieces,
// vocab.json numbers the pieces of both, or vocab.json and target_vocab.json those of one side
// each. Gives what transformers' MarianTokenizer gives (4.48), quirks included: special tokens
// written out in a text become special tokens, and ">>fra<<" at its start is the language to
// translate into.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/load_report.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/tokenizers/byte_trie.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_model.h"
#include "engine/tokenizers/tokenizer.h"
#include "engine/tokenizers/tokenizer_config.h"
#include "engine/tokenizers/vocabulary.h"

namespace attend {

class MarianTokenizer : public Tokenizer {
 public:
  // Errors as tokenizer_factory.h says.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const ModelDirectory& directory,
                                                         LoadReport* report);

  EncodedText Encode(std::string_view text, TextSide side) const override;
  DecodedText Decode(absl::Span<const int32_t> ids, TextSide side,
                     bool keep_special) const override;
  std::string Piece(int32_t id, TextSide side) const override;
  // With separate vocabularies: of the target's, which is the one that a model writes.
  bool IsSpecial(int32_t id) const override;
  // With separate vocabularies: of the larger one.
  int64_t vocab_size() const override;
  int32_t eos_id() const override { return target().eos_id; }
  std::string source_language() const override { return source_language_; }
  std::string target_language() const override { return target_language_; }
  int64_t max_length() const override { return max_length_; }

 private:
  // One side of the translation.
  struct Side {
    std::unique_ptr<SentencePieceModel> model;
    Vocabulary vocabulary;
    std::vector<bool> special;   // by id: left out by Decode
    std::vector<bool> verbatim;  // by id: added tokens that are not special, spelt as they are
    std::vector<bool> language;  // by id: ">>fra<<"
    int32_t eos_id = 0;
    int32_t unk_id = 0;
  };

  MarianTokenizer() = default;
  absl::Status ReadVocabularies(const ModelDirectory& directory, const TokenizerConfig& config);
  static absl::Status MarkSpecialTokens(const TokenizerConfig& config, std::string_view file,
                                        Side* side);
  absl::Status CheckPieces(LoadReport* report) const;
  void EncodeSegment(std::string_view text, ByteSpan segment, const Side& side,
                     std::vector<EncodedToken>* tokens) const;

  const Side& source() const { return sides_[0]; }
  const Side& target() const { return sides_[1]; }
  const Side& SideOf(TextSide side) const {
    return side == TextSide::kSource ? source() : target();
  }

  Side sides_[2];
  ByteTrie whole_tokens_;  // special and added tokens: found in texts before anything else is
  bool separate_vocabularies_ = false;
  bool clean_up_spaces_ = false;
  std::string source_language_, target_language_;
  int64_t max_length_ = TokenizerConfig::kUnlimited;
};

}  // namespace attend
