// One pass over each line, or over lines that belong together. At a run of terminators (". ! ? …"
// and their kin) with the quotes and brackets that close after it, the words on both sides decide:
// abbreviations, initials and numbers before it, lower case after it keep the sentence going. When
// in doubt it does not cut: half a sentence translates worse than two together.
#include "engine/text/sentence_splitter.h"

#include <string>

#include "engine/text/abbreviations.h"
#include "engine/text/line_joining.h"
#include "engine/text/unicode.h"

namespace attend {
namespace {

constexpr uint32_t kMaxWordBytes = 48;  // no abbreviation or sentence starter is longer

bool IsFullStop(char32_t c) { return c == '.' || c == 0xFF0E; }
bool IsEllipsis(char32_t c) { return c == 0x2026 || c == 0x22EF; }

// Ends a sentence without a space after it.
bool IsWideTerminator(char32_t c) {
  return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61 || c == 0xFE12 || c == 0x0964 ||
         c == 0x0965;
}

bool IsTerminator(char32_t c) {
  return c == '!' || c == '?' || IsFullStop(c) || IsEllipsis(c) || IsWideTerminator(c) ||
         (c >= 0x203C && c <= 0x203D) || (c >= 0x2047 && c <= 0x2049) || c == 0x061F ||
         c == 0x06D4 || c == 0x1362;
}

bool IsClosing(char32_t c) {
  switch (c) {
    case '"':
    case '\'':
    case ')':
    case ']':
    case '}':
    case 0x2019:
    case 0x201D:
    case 0x00BB:
    case 0x203A:
    case 0x300D:
    case 0x300F:
    case 0x3011:
    case 0x300B:
    case 0x3009:
    case 0xFF09:
    case 0xFF3D:
    case 0xFF02:
    case '*':  // emphasis in Markdown
    case '_':
      return true;
    default:
      return false;
  }
}

bool IsOpening(char32_t c) {
  switch (c) {
    case '"':
    case '\'':
    case '(':
    case '[':
    case '{':
    case 0x2018:
    case 0x201C:
    case 0x201E:
    case 0x00AB:
    case 0x2039:
    case 0x300C:
    case 0x300E:
    case 0x3010:
    case 0x300A:
    case 0x3008:
    case 0xFF08:
    case 0xFF3B:
    case 0x00BF:
    case 0x00A1:
    case '*':
    case '_':
      return true;
    default:
      return false;
  }
}

// A footnote's number set high: ¹ ² ³ ⁰ ⁴ … ⁹.
bool IsSuperscriptDigit(char32_t c) {
  return c == 0x00B9 || c == 0x00B2 || c == 0x00B3 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079);
}

bool IsHiragana(char32_t c) { return c >= 0x3041 && c <= 0x309F; }
bool IsWordApostrophe(char32_t c) { return c == '\'' || c == 0x2019; }

// What a run of terminators looked like, with the closing marks after it.
struct Stop {
  uint32_t begin = 0;
  uint32_t end = 0;             // behind closing marks
  bool only_full_stop = false;  // exactly one "."
  bool wide = false;
  bool ellipsis = false;  // "…" or two full stops and more
  bool closed = false;    // closing marks follow
};

class BlockSplitter {
 public:
  BlockSplitter(std::string_view text, std::string_view language, std::vector<ByteSpan>* sentences)
      : text_(text), language_(language), sentences_(sentences) {}

  // A line, or lines that belong together.
  void Split(ByteSpan block) {
    end_ = block.end;
    BeginSentence(block.begin);
    for (uint32_t at = block.begin; at < block.end;) {
      const CodePoint c = CodePointAt(text_, at);
      if (!IsTerminator(c.value)) {
        has_word_ = has_word_ || IsLetter(c.value) || IsDigit(c.value);
        at = c.end;
        continue;
      }
      const Stop stop = ReadStop(at);
      if (EndsSentence(stop)) Cut(stop.end);
      at = stop.end;
    }
    Cut(block.end);
  }

 private:
  void Cut(uint32_t end) {
    const ByteSpan sentence = TrimWhiteSpace(text_, {sentence_begin_, end});
    if (!sentence.empty()) sentences_->push_back(sentence);
    BeginSentence(end);
  }

  void BeginSentence(uint32_t at) {
    sentence_begin_ = first_visible_ = at;
    has_word_ = false;
  }

  Stop ReadStop(uint32_t at) const {
    Stop stop;
    stop.begin = at;
    int full_stops = 0, others = 0;
    while (at < end_) {
      const CodePoint c = CodePointAt(text_, at);
      if (!IsTerminator(c.value)) break;
      if (IsFullStop(c.value))
        ++full_stops;
      else
        ++others;
      stop.wide = stop.wide || IsWideTerminator(c.value);
      stop.ellipsis = stop.ellipsis || IsEllipsis(c.value) || full_stops > 1;
      at = c.end;
    }
    stop.only_full_stop = full_stops == 1 && others == 0;
    stop.end = SkipClosing(at, &stop.closed);
    return stop;
  }

  // Past closing marks, footnote references ("[12]", "[3, 5–7]", "²") and the French quote that
  // stands behind a space.
  uint32_t SkipClosing(uint32_t at, bool* closed) const {
    while (at < end_) {
      const CodePoint c = CodePointAt(text_, at);
      if (IsClosing(c.value)) {
        *closed = true;
        at = c.end;
      } else if (IsSuperscriptDigit(c.value)) {
        at = c.end;
      } else if (c.value == '[') {
        const uint32_t after = SkipFootnote(c.end);
        if (after == 0) return at;
        at = after;
      } else if (IsWhiteSpace(c.value) && c.end < end_) {
        const CodePoint quote = CodePointAt(text_, c.end);
        const bool standing_alone =
            quote.end >= end_ || !IsLetter(CodePointAt(text_, quote.end).value);
        if (quote.value != 0x00BB || !standing_alone) return at;
        *closed = true;
        at = quote.end;
      } else {
        return at;
      }
    }
    return at;
  }

  // `at` is behind "["; returns the offset behind "]" when numbers stand between, else 0.
  uint32_t SkipFootnote(uint32_t at) const {
    const uint32_t first = at;
    bool has_digit = false;
    while (at < end_ && at - first < kMaxWordBytes) {
      const CodePoint c = CodePointAt(text_, at);
      const bool digit = c.value >= '0' && c.value <= '9';
      has_digit = has_digit || digit;
      if (c.value == ']') return has_digit ? c.end : 0;
      if (!digit && c.value != ',' && c.value != ' ' && c.value != '-' && c.value != 0x2013)
        return 0;
      at = c.end;
    }
    return 0;
  }

  bool EndsSentence(const Stop& stop) const {
    if (!has_word_) return false;        // "...", "1)" or a bullet in front of the sentence
    if (stop.end >= end_) return false;  // the block's end cuts anyway
    const CodePoint next = CodePointAt(text_, stop.end);
    if (stop.begin > sentence_begin_ && IsOpening(CodePointBefore(text_, stop.begin).value) &&
        stop.closed) {
      return false;  // "(!)", "(...)"
    }
    if (stop.wide) return !IsHiragana(next.value) || !stop.closed;  // 「はい。」と言った
    if (!IsWhiteSpace(next.value)) {
      // No space: a decimal, a URL, an abbreviation, unless the text is one that has no spaces.
      return stop.begin > sentence_begin_ && IsCjk(CodePointBefore(text_, stop.begin).value) &&
             IsCjk(next.value);
    }
    uint32_t at = stop.end;
    while (at < end_ && IsWhiteSpace(CodePointAt(text_, at).value)) at = CodePointAt(text_, at).end;
    if (at >= end_) return false;
    CodePoint follower = CodePointAt(text_, at);
    while (IsOpening(follower.value) && follower.end < end_)
      follower = CodePointAt(text_, follower.end);
    if (IsLowercase(follower.value)) return false;
    if (follower.value == ',' || follower.value == ';' || follower.value == ':') return false;
    if (IsTerminator(follower.value) && !IsOpening(CodePointAt(text_, at).value))
      return false;  // "Oui ! ?"
    return !stop.only_full_stop || stop.closed || FullStopEnds(stop.begin, follower);
  }

  // A single "." and then a word that begins at `follower` with something other than a lower-case
  // letter.
  bool FullStopEnds(uint32_t stop, const CodePoint& follower) const {
    const uint32_t begin = WordBefore(stop);
    const std::string_view word = text_.substr(begin, stop - begin);
    if (word.empty()) return true;
    const std::string_view next = WordAt(follower.begin);
    if (begin == FirstVisible() && IsListMark(word)) return false;
    switch (FindAbbreviation(word, language_)) {
      case AbbreviationKind::kBeforeName:
        return false;
      case AbbreviationKind::kBeforeNumber:
        if (IsInitials(word) && IsUppercase(follower.value))
          break;  // "art. R. 5", but "R. Kipling"
        return !IsDigit(follower.value) && !IsLabel(next, follower);
      case AbbreviationKind::kMayEnd:
        return IsSentenceStarter(next, language_);
      case AbbreviationKind::kNone:
        break;
    }
    if (word == "a.m" || word == "p.m") return !FollowsTimeOfDay(next);
    const bool initial = IsInitials(word);
    return !initial || !IsUppercase(follower.value) || IsSentenceStarter(next, language_);
  }

  // "Fig. S1", "Eq. B": what numbers things is sometimes a letter.
  bool IsLabel(std::string_view next, const CodePoint& follower) const {
    if (next.size() != 1 || !IsUppercase(follower.value)) return false;
    const bool digit_after = follower.end < end_ && IsDigit(CodePointAt(text_, follower.end).value);
    return digit_after || !IsSentenceStarter(next, language_);
  }

  // Where the word that ends at `at` begins; inner full stops and hyphens count as the word's
  // ("e.g", "c.-à-d").
  uint32_t WordBefore(uint32_t at) const {
    uint32_t begin = at;
    while (begin > sentence_begin_ && at - begin < kMaxWordBytes) {
      const CodePoint c = CodePointBefore(text_, begin);
      if (!IsLetter(c.value) && !IsDigit(c.value) && c.value != '.' && c.value != '-' &&
          !IsCombining(c.value))
        break;
      begin = c.begin;
    }
    return begin;
  }

  std::string_view WordAt(uint32_t begin) const {
    uint32_t at = begin;
    while (at < end_ && at - begin < kMaxWordBytes) {
      const CodePoint c = CodePointAt(text_, at);
      if (!IsLetter(c.value) || IsWordApostrophe(c.value)) break;
      at = c.end;
    }
    return text_.substr(begin, at - begin);
  }

  // Where the sentence's first character stands that is not white space. It only moves forward, so
  // that a sentence with many stops behind much space is looked at once.
  uint32_t FirstVisible() const {
    while (first_visible_ < end_) {
      const CodePoint c = CodePointAt(text_, first_visible_);
      if (!IsWhiteSpace(c.value)) break;
      first_visible_ = c.end;
    }
    return first_visible_;
  }

  // "1", "12", "a", "iv", "2.1": what numbers a list.
  static bool IsListMark(std::string_view word) {
    bool digits = true, roman = true;
    for (const char c : word) {
      digits = digits && ((c >= '0' && c <= '9') || c == '.');
      roman = roman && std::string_view("ivxIVX").find(c) != std::string_view::npos;
    }
    return (digits && word.size() <= 8) || (roman && word.size() <= 5) ||
           (word.size() == 1 && IsLetter(static_cast<unsigned char>(word[0])));
  }

  // "J", "J.K", "U.S", "É": single capitals with full stops between.
  static bool IsInitials(std::string_view word) {
    bool expect_letter = true;
    for (uint32_t at = 0; at < word.size();) {
      const CodePoint c = CodePointAt(word, at);
      at = c.end;
      if (expect_letter ? !IsUppercase(c.value) : (c.value != '.' && c.value != '-')) return false;
      expect_letter = !expect_letter;
    }
    return !expect_letter;
  }

  const std::string_view text_;
  const std::string_view language_;
  std::vector<ByteSpan>* const sentences_;
  uint32_t end_ = 0;  // of the block
  uint32_t sentence_begin_ = 0;
  mutable uint32_t first_visible_ = 0;  // at most FirstVisible()
  bool has_word_ = false;               // a letter or digit since sentence_begin_
};

}  // namespace

std::vector<ByteSpan> SplitSentences(std::string_view text, const SplitOptions& options) {
  std::vector<ByteSpan> sentences;
  BlockSplitter splitter(text, options.language, &sentences);
  if (options.line_breaks == LineBreaks::kByLayout) {
    for (const ByteSpan block : JoinLines(text)) splitter.Split(block);
    return sentences;
  }
  uint32_t line_begin = 0;
  const auto size = static_cast<uint32_t>(text.size());
  for (uint32_t at = 0; at < size;) {
    const CodePoint c = CodePointAt(text, at);
    if (IsLineEnd(c.value)) {
      splitter.Split({line_begin, c.begin});
      line_begin = c.end;
    }
    at = c.end;
  }
  splitter.Split({line_begin, size});
  return sentences;
}

}  // namespace attend
