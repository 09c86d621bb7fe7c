// Unigram: of all ways to cut a word into pieces the one with the highest sum of scores, as
// `tokenizers` computes it (in double precision; sentencepiece_model.h has SentencePiece's own).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/tokenizers/byte_trie.h"
#include "engine/tokenizers/hf/subword_model.h"

namespace attend {

class UnigramModel : public SubwordModel {
 public:
  static absl::StatusOr<std::unique_ptr<const SubwordModel>> Read(const Json& json,
                                                                  int64_t max_size);

  void Cut(std::string_view word, std::vector<SubwordPiece>* pieces) const override;

 private:
  struct Step;
  UnigramModel(Vocabulary vocabulary, std::vector<double> scores, int32_t unk_id,
               bool byte_fallback);
  std::vector<Step> FindBestSteps(std::string_view word) const;

  std::vector<double> scores_;  // by id
  double unk_score_ = 0;
  ByteTrie trie_;
  int32_t unk_id_;
  bool has_bytes_ = false;               // unknown characters become bytes
  std::array<int32_t, 256> byte_ids_{};  // -1 for those without a piece
};

}  // namespace attend
