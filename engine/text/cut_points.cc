// Every character's end is offered, so that any text can be made to fit; the better places carry
// the lower ranks. Ends inside what a reader sees as one character (accents, joined emoji) are left
// out, unless it is absurdly long.
#include "engine/text/sentence_splitter.h"
#include "engine/text/unicode.h"

namespace attend {
namespace {

constexpr int kMaxCombined = 16;  // marks on one character after which a cut is allowed among them

constexpr char32_t kZeroWidthJoiner = 0x200D;

// Marks of clauses that a space or the end follows in Western texts...
bool IsClauseMark(char32_t c) {
  return c == ';' || c == ':' || c == ',' || c == 0x2013 || c == 0x2014 || c == 0x060C ||
         c == 0x061B || c == '!' || c == '?' || c == 0x2026;
}

// ... and those that need none.
bool IsWideClauseMark(char32_t c) {
  return c == 0x3001 || c == 0xFF0C || c == 0xFF1B || c == 0xFF1A || c == 0x3002 || c == 0xFF01 ||
         c == 0xFF1F || c == 0xFF64;
}

bool IsRegionalIndicator(char32_t c) { return c >= 0x1F1E6 && c <= 0x1F1FF; }

}  // namespace

std::vector<CutPoint> CutPoints(std::string_view text, ByteSpan sentence) {
  std::vector<CutPoint> cuts;
  int combined = 0;
  int flags = 0;  // regional indicators in a row: they pair up
  for (uint32_t at = sentence.begin; at < sentence.end;) {
    const CodePoint c = CodePointAt(text, at);
    at = c.end;
    if (at >= sentence.end) break;
    const CodePoint next = CodePointAt(text, at);
    flags = IsRegionalIndicator(c.value) ? flags + 1 : 0;
    const bool joined = IsCombining(next.value) || c.value == kZeroWidthJoiner ||
                        (flags % 2 == 1 && IsRegionalIndicator(next.value));
    combined = joined ? combined + 1 : 0;
    if (joined && combined % kMaxCombined != 0) continue;
    const bool space_follows = IsWhiteSpace(next.value);
    int rank = 2;
    if (IsWideClauseMark(c.value) || (IsClauseMark(c.value) && space_follows)) {
      rank = 0;
    } else if (IsWhiteSpace(c.value) && !space_follows) {
      rank = 1;
    }
    cuts.push_back({at, rank});
  }
  return cuts;
}

}  // namespace attend
