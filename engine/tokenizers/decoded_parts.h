// How transformers' slow tokenizers put a text together from tokens: ordinary pieces and special
// tokens make parts, by the SentencePiece model's own rules; added tokens stand between parts, as
// they are spelt, and single spaces join it all.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/tokenizers/decoded_text_builder.h"
#include "engine/tokenizers/sentencepiece/sentencepiece_model.h"

namespace attend {

// How the kinds of tokenizers spell parts.
struct PartSpelling {
  enum class AroundSpecial {
    kNothing,
    kSpaceBefore,  // of a run of special tokens, and that before the pieces in front of it
    kSpaceAfter,
  };
  AroundSpecial around_special = AroundSpecial::kNothing;
  bool by_model = true;                 // false: pieces put end to end
  bool replaces_space_symbols = false;  // "▁" that is left becomes a space
  bool drops_first_space_symbol = false;
};

class DecodedParts {
 public:
  // `model` and the texts given below must outlive this object. Positions are those of the ids, and
  // go forward.
  DecodedParts(const SentencePieceModel& model, const PartSpelling& spelling)
      : model_(model), spelling_(spelling) {}

  void AddPiece(std::string_view piece, uint32_t position);
  void AddSpecial(std::string_view token, uint32_t position);
  void AddVerbatim(std::string_view token, uint32_t position);
  // `clean_up_spaces`: with transformers' clean_up_tokenization.
  DecodedText Finish(size_t num_ids, bool clean_up_spaces) &&;

 private:
  void WritePieces();
  void EndPart(uint32_t last_position, bool is_last);
  void Separate(uint32_t position);

  const SentencePieceModel& model_;
  const PartSpelling spelling_;
  DecodedTextBuilder text_, part_;  // the text, and what follows its last added token
  bool is_first_ = true;            // nothing was joined to the text yet
  bool has_part_ = false;           // be it an empty one
  bool after_special_ = false;
  std::vector<std::string_view> pieces_;  // since the last special or added token
  std::vector<uint32_t> positions_;       // theirs
};

}  // namespace attend
