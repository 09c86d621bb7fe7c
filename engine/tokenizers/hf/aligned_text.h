// A text under normalisation in which every byte knows which bytes of the original it came from,
// as the `tokenizers` library keeps it, so that offsets come out the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/span.h"

namespace attend {

// One character of the new text, in terms of the old one: change 0 stands for the next old
// character, change 1 is put in behind what came before, and change -n stands for the next old
// character and n more behind it, which go.
struct CharacterChange {
  char32_t character = 0;
  int32_t change = 0;
};

class AlignedText {
 public:
  AlignedText() = default;
  // `original` is copied; offsets count from its begin.
  explicit AlignedText(std::string_view original);

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  // Where this part begins in the original.
  uint32_t original_begin() const { return original_begin_; }
  // Bytes of the original behind a range of bytes; of an empty range, an empty one.
  ByteSpan ToOriginal(ByteSpan range) const;

  // Replaces the text. `num_removed` characters at the begin go before anything else.
  void Transform(const std::vector<CharacterChange>& changes, size_t num_removed);
  // Leaves out characters.
  template <typename Keep>
  void Filter(const Keep& keep);
  // Replaces each of `ranges`, which are in order and do not overlap.
  void Replace(const std::vector<ByteSpan>& ranges, std::string_view content);
  // Does nothing to an empty text.
  void Prepend(std::string_view content);
  void Strip(bool left, bool right);
  // Gives what was taken away in front of the first character to that character.
  void ExtendFirstToBegin();
  AlignedText Slice(ByteSpan range) const;

 private:
  void FilterMarked(const std::vector<bool>& kept);

  std::string text_;
  std::vector<ByteSpan> alignment_;  // by byte
  uint32_t original_begin_ = 0;
};

// Characters of a text, in order.
std::u32string CodePointsOf(std::string_view text);
void AppendUtf8(char32_t character, std::string* out);

template <typename Keep>
void AlignedText::Filter(const Keep& keep) {
  std::vector<bool> kept;
  for (const char32_t c : CodePointsOf(text_)) kept.push_back(keep(c));
  FilterMarked(kept);
}

}  // namespace attend
