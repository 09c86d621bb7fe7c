// Ids of a tokenizer that is made from one SentencePiece model: pieces, special and added tokens,
// languages. Numbers them as transformers' slow tokenizers do when they load such a folder.
// Immutable after load.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/load_report.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/tokenizers/byte_trie.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_kind.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_model.h"
#include "engine/tokenizers/tokenizer_config.h"

namespace attend {

class SentencePieceVocabulary {
 public:
  // Tokens whose ids the model has no embeddings for (config.json's vocab_size) are left out, with
  // a note. Errors as tokenizer_factory.h says.
  static absl::StatusOr<SentencePieceVocabulary> Build(const SentencePieceKind& kind,
                                                       const TokenizerConfig& config,
                                                       const SentencePieceModel& model,
                                                       const ModelDirectory& directory,
                                                       LoadReport* report);

  struct Entry {
    std::string piece;
    bool is_used = false;
    bool is_special = false;   // left out of decoded texts
    bool is_verbatim = false;  // stands between the parts of a decoded text
    bool is_language = false;
    bool takes_space_before = false;  // of whole tokens: white space that goes with them
    bool takes_space_behind = false;
  };

  bool Has(int32_t id) const {
    return id >= 0 && id < size() && entries_[static_cast<size_t>(id)].is_used;
  }
  // REQUIRES: Has(id).
  const Entry& At(int32_t id) const { return entries_[static_cast<size_t>(id)]; }
  // Of a piece that the SentencePiece model cut.
  int32_t IdOf(std::string_view piece) const;
  // Tokens that texts are searched for before anything else; values are ids.
  const ByteTrie& whole_tokens() const { return whole_tokens_; }
  absl::Span<const TokenizerLanguage> languages() const { return languages_; }
  // One more than the largest id.
  int32_t size() const { return static_cast<int32_t>(entries_.size()); }
  int32_t eos_id() const { return eos_id_; }
  int32_t unk_id() const { return unk_id_; }  // of pieces that have no id

 private:
  friend class SentencePieceNumbering;

  std::vector<Entry> entries_;  // by id
  std::unordered_map<std::string, int32_t> ids_;
  ByteTrie whole_tokens_;
  std::vector<TokenizerLanguage> languages_;
  int32_t eos_id_ = 0, unk_id_ = 0;
};

}  // namespace attend
