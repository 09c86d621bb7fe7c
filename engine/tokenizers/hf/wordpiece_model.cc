// Two tries, one for each place in a word, so that each piece is found in one walk.
#include "engine/tokenizers/hf/wordpiece_model.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/text/unicode.h"

namespace attend {

WordPieceModel::WordPieceModel(Vocabulary vocabulary, const WordPieceOptions& options,
                               int32_t unk_id)
    : SubwordModel(std::move(vocabulary)),
      unk_id_(unk_id),
      max_characters_(options.max_input_chars_per_word) {
  const std::string& prefix = options.continuing_subword_prefix;
  std::vector<std::pair<std::string_view, int32_t>> first, continuing;
  for (int64_t id = 0; id < this->vocabulary().size(); ++id) {
    const std::string_view piece = this->vocabulary().Piece(static_cast<int32_t>(id));
    if (piece.empty()) continue;
    first.emplace_back(piece, static_cast<int32_t>(id));
    if (piece.size() > prefix.size() && piece.substr(0, prefix.size()) == prefix) {
      continuing.emplace_back(piece.substr(prefix.size()), static_cast<int32_t>(id));
    }
  }
  first_.Build(std::move(first));
  continuing_.Build(std::move(continuing));
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> WordPieceModel::Make(
    Vocabulary vocabulary, const WordPieceOptions& options, std::string_view file) {
  const auto unk_id = vocabulary.Find(options.unk_token);
  if (!unk_id) {
    return CorruptCheckpoint({file, {}}, absl::StrCat("the vocabulary lacks the unknown token '",
                                                      Printable(options.unk_token), "'"));
  }
  return std::unique_ptr<const SubwordModel>(
      new WordPieceModel(std::move(vocabulary), options, *unk_id));
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> WordPieceModel::Read(const Json& json,
                                                                         int64_t max_size) {
  WordPieceOptions options;
  ATTEND_ASSIGN_OR_RETURN(options.unk_token, json.GetStringOr("unk_token", options.unk_token));
  ATTEND_ASSIGN_OR_RETURN(
      options.continuing_subword_prefix,
      json.GetStringOr("continuing_subword_prefix", options.continuing_subword_prefix));
  ATTEND_ASSIGN_OR_RETURN(
      options.max_input_chars_per_word,
      json.GetIntOr("max_input_chars_per_word", options.max_input_chars_per_word));
  ATTEND_ASSIGN_OR_RETURN(const Json vocabulary_json, json.Get("vocab"));
  const std::string file = json.origin().substr(0, json.origin().find(": "));
  ATTEND_ASSIGN_OR_RETURN(Vocabulary vocabulary,
                          Vocabulary::FromJson(vocabulary_json, file, max_size));
  return Make(std::move(vocabulary), options, file);
}

void WordPieceModel::Cut(std::string_view word, std::vector<SubwordPiece>* pieces) const {
  const auto size = static_cast<uint32_t>(word.size());
  int64_t num_characters = 0;
  for (uint32_t at = 0; at < size && num_characters <= max_characters_; ++num_characters) {
    at = CodePointAt(word, at).end;
  }
  const size_t kept = pieces->size();
  uint32_t at = num_characters > max_characters_ ? size : 0;
  bool is_known = at == 0;
  while (is_known && at < size) {
    const ByteTrie& trie = at == 0 ? first_ : continuing_;
    const std::string_view rest = word.substr(at);
    const uint32_t found = trie.LongestPrefix(rest);
    is_known = found > 0;
    if (is_known) pieces->push_back({trie.Find(rest.substr(0, found)), {at, at + found}});
    at += found;
  }
  if (is_known) return;
  pieces->resize(kept);
  pieces->push_back({unk_id_, {0, size}});
}

}  // namespace attend
