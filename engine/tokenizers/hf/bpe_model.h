// Byte-pair encoding: a word begins as characters, and of all neighbours the pair that was learnt
// first is merged, until none is known.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/tokenizers/hf/subword_model.h"

namespace attend {

struct BpeOptions {
  std::string unk_token;  // empty: unknown characters are left out
  std::string continuing_subword_prefix, end_of_word_suffix;
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;  // for words that are pieces as they stand
};

class BpeModel : public SubwordModel {
 public:
  using Merge = std::pair<std::string, std::string>;

  static absl::StatusOr<std::unique_ptr<const SubwordModel>> Read(const Json& json,
                                                                  int64_t max_size);
  // The lines of a merges.txt. DATA_LOSS naming `file` and the line.
  static absl::StatusOr<std::vector<Merge>> ParseMerges(std::string_view text,
                                                        std::string_view file);
  // `merges` in the order in which they were learnt. DATA_LOSS, naming `file`, when the vocabulary
  // lacks the unknown token, a side of a merge or what it makes.
  static absl::StatusOr<std::unique_ptr<const SubwordModel>> Make(Vocabulary vocabulary,
                                                                  const std::vector<Merge>& merges,
                                                                  BpeOptions options,
                                                                  std::string_view file);

  void Cut(std::string_view word, std::vector<SubwordPiece>* pieces) const override;

 private:
  struct Symbol;
  struct MergeRule {
    uint32_t rank = 0;
    int32_t id = 0;  // of what the two become
  };
  BpeModel(Vocabulary vocabulary, BpeOptions options)
      : SubwordModel(std::move(vocabulary)), options_(std::move(options)) {}

  static uint64_t PairKey(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  absl::Status AddMerge(const Merge& merge, uint32_t rank, std::string_view file);
  std::vector<Symbol> ToSymbols(std::string_view word) const;
  bool AppendBytes(std::string_view character, std::vector<Symbol>* symbols) const;
  void MergeAll(std::vector<Symbol>* symbols) const;

  BpeOptions options_;
  std::unordered_set<std::string> left_out_;
  int32_t unk_id_ = -1;
  std::unordered_map<uint64_t, MergeRule> merges_;  // by the ids of the two
  std::vector<int32_t> byte_ids_;                   // with byte_fallback; -1: no piece
};

}  // namespace attend
