// What a reader sees as words. Boundaries are Unicode's (UAX #29, through ICU), so Chinese,
// Japanese and Thai are cut by dictionary; French elisions (l', d', qu', aujourd'hui excepted) are
// split off, because they are words of their own in every aligned corpus; punctuation marks are
// words of one character. White space is in no word.
#pragma once

#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "engine/base/span.h"

namespace attend {

struct Word {
  ByteSpan span;
  bool is_punctuation = false;  // no letter and no digit
};

// Words in order, not overlapping. Linear in the text.
std::vector<Word> SplitWords(std::string_view text);

// For each token span the index of the word it overlaps most (the first on a tie), or -1 for none.
// REQUIRES: both lists in order.
std::vector<int> AssignWords(absl::Span<const ByteSpan> token_spans, absl::Span<const Word> words);

}  // namespace attend
