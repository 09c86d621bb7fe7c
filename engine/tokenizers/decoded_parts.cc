// Nothing is decided about a part before its end, because the model's rules for spaces look at what
// stands first.
#include "engine/tokenizers/decoded_parts.h"

#include <string>
#include <utility>

namespace attend {

void DecodedParts::AddPiece(std::string_view piece, uint32_t position) {
  const bool is_first = !has_part_;
  has_part_ = true;
  after_special_ = false;
  if (is_first && spelling_.drops_first_space_symbol &&
      piece.substr(0, kSpaceSymbol.size()) == kSpaceSymbol) {
    piece.remove_prefix(kSpaceSymbol.size());
  }
  pieces_.push_back(piece);
  positions_.push_back(position);
}

void DecodedParts::AddSpecial(std::string_view token, uint32_t position) {
  using Around = PartSpelling::AroundSpecial;
  has_part_ = true;
  if (spelling_.around_special == Around::kSpaceBefore && !after_special_)
    part_.Append(" ", positions_.empty() ? position : positions_.front());
  WritePieces();
  part_.Append(token, position);
  if (spelling_.around_special == Around::kSpaceAfter) part_.Append(" ", position);
  after_special_ = true;
}

void DecodedParts::AddVerbatim(std::string_view token, uint32_t position) {
  EndPart(position, false);
  Separate(position);
  text_.Append(token, position);
}

DecodedText DecodedParts::Finish(size_t num_ids, bool clean_up_spaces) && {
  EndPart(num_ids == 0 ? 0 : static_cast<uint32_t>(num_ids - 1), true);
  if (clean_up_spaces) text_.CleanUpSpaces();
  return std::move(text_).Build(num_ids);
}

void DecodedParts::WritePieces() {
  if (spelling_.by_model) {
    const std::vector<std::string> written = model_.Decode(pieces_);
    for (size_t i = 0; i < written.size(); ++i) part_.Append(written[i], positions_[i]);
  } else {
    for (size_t i = 0; i < pieces_.size(); ++i) part_.Append(pieces_[i], positions_[i]);
  }
  pieces_.clear();
  positions_.clear();
}

void DecodedParts::EndPart(uint32_t last_position, bool is_last) {
  WritePieces();
  if (spelling_.replaces_space_symbols) part_.ReplaceAll(kSpaceSymbol, " ");
  part_.Strip();
  if (!part_.empty()) {
    Separate(part_.first_token());
    text_.Append(part_);
  } else if (is_last && has_part_) {
    Separate(last_position);  // nothing, but set off: as transformers has it
  }
  part_ = DecodedTextBuilder();
  has_part_ = after_special_ = false;
}

void DecodedParts::Separate(uint32_t position) {
  if (!is_first_) text_.Append(" ", position);
  is_first_ = false;
}

}  // namespace attend
