// ICU walks the UTF-8 text itself (UText), so that its boundaries are our byte offsets; what it
// returns is then stripped of white space and of invisible characters, and French elisions are cut
// off the front of words.
#include "engine/text/words.h"

#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/utext.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "engine/base/check.h"
#include "engine/text/unicode.h"

namespace attend {
namespace {

// Making an iterator reads and compiles its rules, so one is made for the whole process and cloned
// for each text.
std::unique_ptr<icu::BreakIterator> CloneWordIterator() {
  static const icu::BreakIterator* const prototype = [] {
    UErrorCode error = U_ZERO_ERROR;
    const icu::BreakIterator* made =
        icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), error);
    ATTEND_CHECK(U_SUCCESS(error) && made != nullptr,
                 "ICU has no word break rules: its data package is missing");
    return made;
  }();
  std::unique_ptr<icu::BreakIterator> clone(prototype->clone());
  ATTEND_CHECK(clone != nullptr, "ICU ran out of memory");
  return clone;
}

bool IsApostrophe(char32_t c) { return c == '\'' || c == 0x2019 || c == 0x02BC || c == 0xFF07; }

// What French elides, without the apostrophe. aujourd'hui, quelqu'un, presqu'île, entr'acte and
// prud'homme are words.
bool IsElision(std::string_view lower) {
  static constexpr std::array<std::string_view, 14> kElisions = {
      "l", "d", "j", "m", "t", "s", "c", "n", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu", "qqu"};
  return std::find(kElisions.begin(), kElisions.end(), lower) != kElisions.end();
}

// Length in bytes of the elided word, apostrophe included, that `word` begins with; 0 for none or
// when nothing follows.
uint32_t ElisionSize(std::string_view word) {
  std::string prefix;
  uint32_t at = 0;
  while (at < word.size() && prefix.size() <= 6) {
    const CodePoint c = CodePointAt(word, at);
    at = c.end;
    if (IsApostrophe(c.value)) {
      return at < word.size() && IsElision(prefix) ? at : 0;
    }
    if (c.value >= 0x80) return 0;
    prefix.push_back(static_cast<char>(c.value >= 'A' && c.value <= 'Z' ? c.value + 32 : c.value));
  }
  return 0;
}

struct Content {
  bool visible = false;
  bool letter_or_digit = false;
};

Content LookInto(std::string_view text, ByteSpan span) {
  Content content;
  for (uint32_t at = span.begin; at < span.end;) {
    const CodePoint c = CodePointAt(text, at);
    at = c.end;
    if (IsInvisible(c.value)) continue;
    content.visible = true;
    if (IsLetter(c.value) || IsDigit(c.value)) {
      content.letter_or_digit = true;
      break;
    }
  }
  return content;
}

void AppendWord(std::string_view text, ByteSpan segment, std::vector<Word>* words) {
  ByteSpan span = TrimWhiteSpace(text, segment);
  if (span.empty()) return;
  const Content content = LookInto(text, span);
  if (!content.visible) return;
  while (content.letter_or_digit) {
    const uint32_t size = ElisionSize(text.substr(span.begin, span.size()));
    if (size == 0) break;
    words->push_back({{span.begin, span.begin + size}, false});
    span.begin += size;
  }
  words->push_back({span, !content.letter_or_digit});
}

struct UTextCloser {
  void operator()(UText* text) const { utext_close(text); }
};

}  // namespace

std::vector<Word> SplitWords(std::string_view text) {
  std::vector<Word> words;
  if (text.empty()) return words;
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UText, UTextCloser> utext(
      utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &error));
  ATTEND_CHECK(U_SUCCESS(error), "ICU ran out of memory");
  const std::unique_ptr<icu::BreakIterator> iterator = CloneWordIterator();
  iterator->setText(utext.get(), error);
  ATTEND_CHECK(U_SUCCESS(error), "ICU ran out of memory");
  uint32_t begin = 0;
  iterator->first();
  for (int32_t next = iterator->next(); next != icu::BreakIterator::DONE; next = iterator->next()) {
    AppendWord(text, {begin, static_cast<uint32_t>(next)}, &words);
    begin = static_cast<uint32_t>(next);
  }
  return words;
}

std::vector<int> AssignWords(absl::Span<const ByteSpan> token_spans, absl::Span<const Word> words) {
  std::vector<int> assigned;
  assigned.reserve(token_spans.size());
  for (const ByteSpan token : token_spans) {
    int best = -1;
    uint32_t best_overlap = 0;
    const auto first = std::partition_point(
        words.begin(), words.end(), [&](const Word& w) { return w.span.end <= token.begin; });
    for (auto word = first; word != words.end() && word->span.begin < token.end; ++word) {
      const uint32_t overlap =
          std::min(token.end, word->span.end) - std::max(token.begin, word->span.begin);
      if (token.empty() || overlap <= best_overlap) continue;
      best = static_cast<int>(word - words.begin());
      best_overlap = overlap;
    }
    assigned.push_back(best);
  }
  return assigned;
}

}  // namespace attend
