// The "Precompiled" normalizer of a tokenizer.json: a SentencePiece model's table of rewritings,
// looked up for whole grapheme clusters first and for single characters after that. SentencePiece
// itself takes the longest string that the table has (sentencepiece_normalizer.h); the two differ
// on stacked marks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/tokenizers/hf/hf_normalizer.h"

namespace attend {

class PrecompiledNormalizer : public HfNormalizer {
 public:
  static absl::StatusOr<std::unique_ptr<const HfNormalizer>> Read(const Json& json);

  void Normalize(AlignedText* text) const override;

 private:
  // What stands for the shortest beginning of `text` that the table has.
  std::optional<std::string_view> LookUp(std::string_view text) const;

  std::vector<uint32_t> units_;  // a double array; see sentencepiece_normalizer.cc
  std::string replacements_;     // each ended by a NUL
};

}  // namespace attend
