// WordPiece, as BERT has it: the longest piece that a word begins with, then the longest that
// continues it ("##ing"), and so on; a word that cannot be spelt so is unknown as a whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/tokenizers/byte_trie.h"
#include "engine/tokenizers/hf/subword_model.h"

namespace attend {

struct WordPieceOptions {
  std::string unk_token = "[UNK]";
  std::string continuing_subword_prefix = "##";
  int64_t max_input_chars_per_word = 100;
};

class WordPieceModel : public SubwordModel {
 public:
  static absl::StatusOr<std::unique_ptr<const SubwordModel>> Read(const Json& json,
                                                                  int64_t max_size);
  // DATA_LOSS, naming `file`, when the vocabulary lacks the unknown token.
  static absl::StatusOr<std::unique_ptr<const SubwordModel>> Make(Vocabulary vocabulary,
                                                                  const WordPieceOptions& options,
                                                                  std::string_view file);

  void Cut(std::string_view word, std::vector<SubwordPiece>* pieces) const override;

 private:
  WordPieceModel(Vocabulary vocabulary, const WordPieceOptions& options, int32_t unk_id);

  ByteTrie first_, continuing_;  // the latter without the prefix
  int32_t unk_id_;
  int64_t max_characters_;
};

}  // namespace attend
