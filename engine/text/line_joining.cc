// Two looks at the lines. The first measures: widths, how a line begins and ends. It cuts the text
// into runs of lines that may belong together. The second decides each break of a run from the
// run's right margin, which is the width of its widest line: who wraps text fills lines, so a break
// that leaves room for the next word was made on purpose.
#include "engine/text/line_joining.h"

#include <algorithm>
#include <cstddef>

#include "engine/text/unicode.h"

namespace attend {
namespace {

// Nobody wraps at less; wider lines are whole paragraphs.
constexpr int kLeastMargin = 40, kLeastMarginOfMany = 20, kMostMargin = 160;

enum class Marker {
  kNone,
  kNumber,  // "1.", "2)", "(a)", "iv.", "2.1 Methods": may also be running text
  kDash,    // "-", "–", "—": may also be running text
  kSure,    // bullets, "#" of a heading, "|" of a table, "***"
};

struct Line {
  ByteSpan span;  // trimmed
  int width = 0;  // in columns of a terminal
  int first_word = 0;
  Marker marker = Marker::kNone;
  bool after_gap = false;  // a blank line or a paragraph separator stands before it
  bool begins_lower = false;
  bool begins_upper = false;
  bool ends_stop = false;     // a terminator or a colon, closing marks aside
  bool ends_comma = false;    // , or ;
  bool stands_alone = false;  // heading mark, table row, rule
  bool is_capitals = false;   // some capitals, no small letter
};

bool IsWide(char32_t c) {
  return IsCjk(c) || (c >= 0x3000 && c <= 0x303F) || (c >= 0xFF01 && c <= 0xFF60) ||
         (c >= 0xAC00 && c <= 0xD7A3);
}

bool IsSureBullet(char32_t c) {
  return c == 0x2022 || c == 0x2023 || c == 0x25E6 || c == 0x25AA || c == 0x25CF || c == 0x25CB ||
         c == 0x2219 || c == 0x00B7 || c == 0x25A0 || c == 0x25A1 || c == 0x27A2 || c == 0x2043 ||
         c == '*' || c == '+';
}

bool IsDash(char32_t c) { return c == '-' || (c >= 0x2012 && c <= 0x2015); }

bool EndsLikeSentence(char32_t c) {
  switch (c) {
    case '.':
    case '!':
    case '?':
    case ':':
    case 0x2026:
    case 0x3002:
    case 0xFF01:
    case 0xFF1F:
    case 0xFF0E:
    case 0xFF1A:
    case 0xFF61:
    case 0x061F:
    case 0x06D4:
    case 0x0964:
    case 0x0965:
      return true;
    default:
      return false;
  }
}

bool IsClosingMark(char32_t c) {
  return c == '"' || c == '\'' || c == ')' || c == ']' || c == 0x2019 || c == 0x201D ||
         c == 0x00BB || c == 0x300D || c == 0x300F || c == 0xFF09 || c == '*' || c == '_';
}

bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }

class Measure {
 public:
  Measure(std::string_view text, ByteSpan span) : text_(text) { line_.span = span; }

  Line Run() {
    ReadCharacters();
    ReadEnd();
    line_.marker = MarkerOf();
    return line_;
  }

 private:
  void ReadCharacters() {
    bool in_first_word = true, has_word = false, has_upper = false, has_lower = false;
    int num_bars = 0;
    for (uint32_t at = line_.span.begin; at < line_.span.end;) {
      const CodePoint c = CodePointAt(text_, at);
      at = c.end;
      const int columns = IsCombining(c.value) ? 0 : IsWide(c.value) ? 2 : 1;
      if (IsWhiteSpace(c.value) || (line_.width > 0 && IsWide(c.value))) in_first_word = false;
      if (line_.width < kTooWide) line_.width += columns;
      if (in_first_word && line_.first_word < kTooWide) line_.first_word += columns;
      if (c.value == '|') ++num_bars;
      const bool lower = IsLowercase(c.value), upper = IsUppercase(c.value);
      if (!has_word && (IsLetter(c.value) || IsDigit(c.value))) {
        has_word = true;
        line_.begins_lower = lower;
        line_.begins_upper = upper;
      }
      has_lower = has_lower || lower;
      has_upper = has_upper || upper;
    }
    line_.is_capitals = has_upper && !has_lower;
    line_.stands_alone = !has_word || num_bars >= 2 || IsHeadingMark();
  }

  // "# Title" to "###### Title".
  bool IsHeadingMark() const {
    uint32_t at = line_.span.begin;
    while (at < line_.span.end && at - line_.span.begin < 7 && text_[at] == '#') ++at;
    const uint32_t marks = at - line_.span.begin;
    return marks >= 1 && marks <= 6 && at < line_.span.end && text_[at] == ' ';
  }

  void ReadEnd() {
    uint32_t at = line_.span.end;
    for (int i = 0; i < 4 && at > line_.span.begin; ++i) {
      const CodePoint c = CodePointBefore(text_, at);
      if (!IsClosingMark(c.value) && !IsWhiteSpace(c.value)) break;
      at = c.begin;
    }
    if (at == line_.span.begin) return;
    const char32_t last = CodePointBefore(text_, at).value;
    line_.ends_stop = EndsLikeSentence(last);
    line_.ends_comma = last == ',' || last == ';' || last == 0xFF0C || last == 0x3001;
  }

  Marker MarkerOf() const {
    if (line_.stands_alone) return Marker::kSure;
    const CodePoint first = CodePointAt(text_, line_.span.begin);
    const bool space_after =
        first.end < line_.span.end && IsWhiteSpace(CodePointAt(text_, first.end).value);
    if (IsSureBullet(first.value) && (space_after || first.value > 0x7F)) return Marker::kSure;
    if (IsDash(first.value) && (space_after || first.value != '-')) return Marker::kDash;
    return HasNumber() ? Marker::kNumber : Marker::kNone;
  }

  bool HasNumber() const {
    uint32_t at = line_.span.begin;
    const bool opened = text_[at] == '(';
    if (opened) ++at;
    const uint32_t first = at;
    while (at < line_.span.end && at - first < 8 && (IsAsciiDigit(text_[at]) || text_[at] == '.'))
      ++at;
    if (at > first) return EndsNumber(first, at, opened);
    while (at < line_.span.end && at - first < 5 && IsMarkLetter(text_[at], at == first)) ++at;
    if (at == first || at >= line_.span.end) return false;
    return (text_[at] == ')' || (!opened && text_[at] == '.')) && SpaceAt(at + 1) &&
           (at - first == 1 || IsRoman(first, at));
  }

  // Behind "12", "12." or "2.1": a list's number has a full stop or bracket, a section's has inner
  // full stops and a capital after it.
  bool EndsNumber(uint32_t first, uint32_t at, bool opened) const {
    if (at < line_.span.end && text_[at] == ')') return at - first <= 3 && SpaceAt(at + 1);
    if (opened || text_[first] == '.' || !SpaceAt(at)) return false;
    const std::string_view number = text_.substr(first, at - first);
    if (number.back() == '.') return number.size() <= 4 || number.find('.') + 1 < number.size();
    uint32_t next = at;
    while (next < line_.span.end && IsWhiteSpace(CodePointAt(text_, next).value))
      next = CodePointAt(text_, next).end;
    return number.find('.') != std::string_view::npos && next < line_.span.end &&
           IsUppercase(CodePointAt(text_, next).value);
  }

  bool SpaceAt(uint32_t at) const {
    return at < line_.span.end && IsWhiteSpace(CodePointAt(text_, at).value);
  }

  static bool IsMarkLetter(char c, bool first) {
    return std::string_view("ivxIVX").find(c) != std::string_view::npos ||
           (first && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')));
  }

  bool IsRoman(uint32_t begin, uint32_t end) const {
    return text_.substr(begin, end - begin).find_first_not_of("ivxIVX") == std::string_view::npos;
  }

  static constexpr int kTooWide = 1 << 20;
  const std::string_view text_;
  Line line_;
};

// The lines that are not blank.
std::vector<Line> ReadLines(std::string_view text) {
  std::vector<Line> lines;
  const auto size = static_cast<uint32_t>(text.size());
  bool gap = true;
  uint32_t begin = 0;
  const auto add = [&](uint32_t end) {
    const ByteSpan span = TrimWhiteSpace(text, {begin, end});
    if (span.empty()) {
      gap = true;
      return;
    }
    lines.push_back(Measure(text, span).Run());
    lines.back().after_gap = gap;
    gap = false;
  };
  for (uint32_t at = 0; at < size;) {
    CodePoint c = CodePointAt(text, at);
    at = c.end;
    if (!IsLineEnd(c.value)) continue;
    if (c.value == '\r' && at < size && text[at] == '\n') ++at;  // one line end, no blank line
    add(c.begin);
    begin = at;
    gap = gap || (c.value != '\n' && c.value != '\r' && c.value != 0x85);
  }
  add(size);
  return lines;
}

// A break that no margin explains, whatever the widths.
bool AlwaysBreaks(const Line& before, const Line& after) {
  return after.after_gap || after.marker == Marker::kSure || before.stands_alone ||
         before.is_capitals != after.is_capitals;
}

class Joiner {
 public:
  explicit Joiner(const std::vector<Line>& lines) : lines_(lines) {
    JudgeCapitals();
    JudgeStops();
  }

  std::vector<ByteSpan> Run() {
    for (size_t begin = 0; begin < lines_.size();) {
      size_t end = begin + 1;
      while (end < lines_.size() && !AlwaysBreaks(lines_[end - 1], lines_[end])) ++end;
      JoinRun(begin, end);
      begin = end;
    }
    return std::move(blocks_);
  }

 private:
  // Lower case at a line's begin says something only where sentences begin with capitals.
  void JudgeCapitals() {
    size_t lower = 0, all = 0;
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (!lines_[i].after_gap && !lines_[i - 1].ends_stop) continue;
      if (!lines_[i].begins_lower && !lines_[i].begins_upper) continue;
      ++all;
      if (lines_[i].begins_lower) ++lower;
    }
    case_tells_ = lower * 4 <= all;
  }

  // Where nearly every line ends a sentence, each is one, those without a stop too.
  void JudgeStops() {
    const auto stops = static_cast<size_t>(std::count_if(
        lines_.begin(), lines_.end(), [](const Line& line) { return line.ends_stop; }));
    one_sentence_a_line_ = lines_.size() >= 5 && stops * 5 >= lines_.size() * 4;
  }

  void JoinRun(size_t begin, size_t end) {
    margin_ = MarginOf(begin, end);
    Marker item = lines_[begin].marker;
    blocks_.push_back(lines_[begin].span);
    for (size_t i = begin + 1; i < end; ++i) {
      if (lines_[i].marker != Marker::kNone && BeginsItem(i, item)) {
        item = lines_[i].marker;
        blocks_.push_back(lines_[i].span);
      } else if (GoesOn(i)) {
        blocks_.back().end = lines_[i].span.end;
      } else {
        blocks_.push_back(lines_[i].span);
      }
    }
  }

  // The column that the run was wrapped at; 0 when it was not.
  int MarginOf(size_t begin, size_t end) const {
    if (one_sentence_a_line_) return 0;
    int margin = 0;
    for (size_t i = begin; i < end; ++i) margin = std::max(margin, lines_[i].width);
    if (margin > kMostMargin) return 0;
    if (margin >= kLeastMargin) return margin;
    if (margin < kLeastMarginOfMany || end - begin < 3) return 0;
    for (size_t i = begin + 1; i < end; ++i)
      if (!IsFull(i, margin)) return 0;
    return margin;
  }

  // Whether line i's first word had no room on the line before. An eighth is left for text that
  // was set in letters of different widths.
  bool IsFull(size_t i, int margin) const {
    return margin > 0 && lines_[i - 1].width + 1 + lines_[i].first_word > margin - margin / 8;
  }

  // A number or dash at a line's begin is running text only where the line before was full and its
  // sentence has not ended, outside a list of the same kind.
  bool BeginsItem(size_t i, Marker list) const {
    return lines_[i].marker == list || lines_[i - 1].ends_stop || !IsFull(i, margin_);
  }

  bool GoesOn(size_t i) const {
    if (IsFull(i, margin_)) return true;
    if (one_sentence_a_line_) return false;
    if (lines_[i].begins_lower) return case_tells_;
    return lines_[i - 1].ends_comma && !lines_[i].begins_upper;
  }

  const std::vector<Line>& lines_;
  std::vector<ByteSpan> blocks_;
  bool case_tells_ = true, one_sentence_a_line_ = false;
  int margin_ = 0;
};

}  // namespace

std::vector<ByteSpan> JoinLines(std::string_view text) {
  const std::vector<Line> lines = ReadLines(text);
  return Joiner(lines).Run();
}

}  // namespace attend
