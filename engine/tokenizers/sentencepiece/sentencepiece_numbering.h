// The work of SentencePieceVocabulary::Build, step by step as transformers takes them: the kind's
// base vocabulary, the tokens that the class itself adds, those that the folder lists, and at the
// end those special ones that still have no id.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/status/status.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_vocabulary.h"

namespace attend {

class SentencePieceNumbering {
 public:
  SentencePieceNumbering(const SentencePieceKind& kind, const TokenizerConfig& config,
                         const SentencePieceModel& model, const ModelDirectory& directory)
      : kind_(kind), config_(config), model_(model), directory_(directory) {}

  absl::Status Run(SentencePieceVocabulary* vocabulary, LoadReport* report);

 private:
  absl::Status ReadLimit();
  absl::Status NumberBase(LoadReport* report);
  absl::Status ReadVocabularyFile(LoadReport* report);
  void NumberFairseq();
  absl::Status AddOwnTokens();
  absl::Status AddExtraIds();
  absl::Status AddPegasusTokens();
  absl::Status AddListedTokens();
  void AddSpecialTokens();
  void SetBase(int64_t id, std::string_view text);
  void Fix(std::string_view text, int64_t id);
  void AddToken(int64_t id, WholeToken token);
  WholeToken TokenOf(TokenizerConfig::Role role) const;
  std::string_view TextAt(int64_t id) const;
  int64_t IdOf(std::string_view text) const;
  int64_t UnknownId() const;
  absl::Status Fill(SentencePieceVocabulary* vocabulary) const;
  absl::Status FindEndAndUnknown(SentencePieceVocabulary* vocabulary) const;
  void FillLanguages(SentencePieceVocabulary* vocabulary) const;

  const SentencePieceKind& kind_;
  const TokenizerConfig& config_;
  const SentencePieceModel& model_;
  const ModelDirectory& directory_;

  int64_t limit_ = 0;                                  // ids from here on have no embeddings
  int64_t base_size_ = 0;                              // what transformers calls vocab_size
  std::vector<std::string> base_;                      // by id; empty: none
  std::unordered_map<std::string, int64_t> base_ids_;  // of pieces
  std::vector<std::pair<std::string, int64_t>> base_languages_;  // by name
  std::map<int64_t, WholeToken> added_;                          // by id
  std::unordered_map<std::string, int64_t> added_ids_;
  std::unordered_map<std::string, size_t> listed_;  // config_.added by text
  std::vector<WholeToken> additional_;              // the class's list of further special tokens
  std::vector<std::string> special_;                // texts of all special tokens
  std::vector<std::pair<std::string, int64_t>> left_out_;
};

}  // namespace attend
