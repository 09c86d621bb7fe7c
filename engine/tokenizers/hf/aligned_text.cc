// The rules are those of tokenizers' NormalizedString: a character that replaces another takes its
// place in the original, one that is put in shares the place of the byte before it.
#include "engine/tokenizers/hf/aligned_text.h"

#include <algorithm>
#include <utility>

#include "engine/text/unicode.h"

namespace attend {

std::u32string CodePointsOf(std::string_view text) {
  std::u32string characters;
  characters.reserve(text.size());
  for (uint32_t at = 0; at < text.size();) {
    const CodePoint c = CodePointAt(text, at);
    characters.push_back(c.value);
    at = c.end;
  }
  return characters;
}

void AppendUtf8(char32_t character, std::string* out) {
  const auto put = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  const uint32_t c = character;
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | (c >> 6));
  } else {
    if (c < 0x10000) {
      put(0xE0 | (c >> 12));
    } else {
      put(0xF0 | (c >> 18));
      put(0x80 | ((c >> 12) & 0x3F));
    }
    put(0x80 | ((c >> 6) & 0x3F));
  }
  put(0x80 | (c & 0x3F));
}

AlignedText::AlignedText(std::string_view original) : text_(original) {
  alignment_.reserve(text_.size());
  for (uint32_t at = 0; at < text_.size();) {
    const CodePoint c = CodePointAt(text_, at);
    alignment_.resize(c.end, {c.begin, c.end});
    at = c.end;
  }
}

ByteSpan AlignedText::ToOriginal(ByteSpan range) const {
  if (range.empty()) {
    if (range.begin < alignment_.size()) {
      return {alignment_[range.begin].begin, alignment_[range.begin].begin};
    }
    const uint32_t end = alignment_.empty() ? original_begin_ : alignment_.back().end;
    return {end, end};
  }
  return {alignment_[range.begin].begin, alignment_[range.end - 1].end};
}

void AlignedText::Transform(const std::vector<CharacterChange>& changes, size_t num_removed) {
  const auto size = static_cast<uint32_t>(text_.size());
  uint32_t at = 0;
  const auto skip = [&](size_t count) {
    for (; count > 0 && at < size; --count) at = CodePointAt(text_, at).end;
  };
  skip(num_removed);
  std::string text;
  std::vector<ByteSpan> alignment;
  text.reserve(text_.size());
  alignment.reserve(text_.size());
  for (const CharacterChange& c : changes) {
    ByteSpan place = {original_begin_, original_begin_};
    if (c.change > 0) {
      if (at > 0) place = alignment_[at - 1];
    } else if (at < size) {
      place = alignment_[at];
    } else if (size > 0) {
      place = alignment_.back();
    }
    if (c.change <= 0) skip(1 + static_cast<size_t>(-c.change));
    AppendUtf8(c.character, &text);
    alignment.resize(text.size(), place);
  }
  text_ = std::move(text);
  alignment_ = std::move(alignment);
}

void AlignedText::FilterMarked(const std::vector<bool>& kept) {
  if (std::find(kept.begin(), kept.end(), false) == kept.end()) return;
  std::vector<CharacterChange> changes;
  changes.reserve(kept.size());
  size_t removed_in_front = 0;
  size_t i = 0;
  for (const char32_t c : CodePointsOf(text_)) {
    if (kept[i++]) {
      changes.push_back({c, 0});
    } else if (changes.empty()) {
      ++removed_in_front;
    } else {
      --changes.back().change;
    }
  }
  Transform(changes, removed_in_front);
}

void AlignedText::Replace(const std::vector<ByteSpan>& ranges, std::string_view content) {
  if (ranges.empty()) return;
  std::string text;
  std::vector<ByteSpan> alignment;
  uint32_t copied = 0;
  const auto copy_to = [&](uint32_t end) {
    text.append(text_, copied, end - copied);
    alignment.insert(alignment.end(), alignment_.begin() + copied, alignment_.begin() + end);
  };
  for (const ByteSpan range : ranges) {
    copy_to(range.begin);
    text.append(content);
    alignment.resize(text.size(), range.end > 0 ? alignment_[range.end - 1] : ByteSpan{});
    copied = range.end;
  }
  copy_to(static_cast<uint32_t>(text_.size()));
  text_ = std::move(text);
  alignment_ = std::move(alignment);
}

void AlignedText::Prepend(std::string_view content) {
  if (text_.empty()) return;
  const ByteSpan first = alignment_.front();
  text_.insert(0, content);
  alignment_.insert(alignment_.begin(), content.size(), first);
}

void AlignedText::Strip(bool left, bool right) {
  uint32_t begin = 0;
  auto end = static_cast<uint32_t>(text_.size());
  while (left && begin < end) {
    const CodePoint c = CodePointAt(text_, begin);
    if (!IsWhiteSpace(c.value)) break;
    begin = c.end;
  }
  while (right && end > begin) {
    const CodePoint c = CodePointBefore(text_, end);
    if (!IsWhiteSpace(c.value)) break;
    end = c.begin;
  }
  text_ = text_.substr(begin, end - begin);
  alignment_.erase(alignment_.begin() + end, alignment_.end());
  alignment_.erase(alignment_.begin(), alignment_.begin() + begin);
}

void AlignedText::ExtendFirstToBegin() {
  if (text_.empty()) return;
  const uint32_t end = CodePointAt(text_, 0).end;
  for (uint32_t at = 0; at < end; ++at) alignment_[at].begin = original_begin_;
}

AlignedText AlignedText::Slice(ByteSpan range) const {
  AlignedText slice;
  slice.text_ = text_.substr(range.begin, range.size());
  slice.alignment_.assign(alignment_.begin() + range.begin, alignment_.begin() + range.end);
  slice.original_begin_ = ToOriginal(range).begin;
  return slice;
}

}  // namespace attend
