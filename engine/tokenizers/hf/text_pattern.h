// What a tokenizer.json looks for in texts: a string or a regular expression. Immutable, safe from
// any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/span.h"
#include "engine/checkpoint/json.h"
#include "engine/text/unicode.h"

namespace attend {

// What becomes of the matches when a text is split at them.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// A part of a text: a match, or what lies between two.
struct PatternPart {
  ByteSpan range;
  bool is_match = false;
};

// Parts that cover a text → the ranges that are left after the split, in order.
std::vector<ByteSpan> SplitRanges(const std::vector<PatternPart>& parts, SplitBehavior behavior);
// "Removed", "Isolated", ... under `key` of `json`.
absl::StatusOr<SplitBehavior> ReadSplitBehavior(const Json& json, std::string_view key,
                                                SplitBehavior otherwise);

class TextPattern {
 public:
  // {"String": "x"}, {"Regex": "x"} or just "x". DATA_LOSS for an expression that cannot be read.
  static absl::StatusOr<TextPattern> Read(const Json& json);
  static TextPattern OfString(std::string text);

  // Parts that cover `text`, without empty matches. An expression that runs out of room for going
  // back ends with what it found.
  std::vector<PatternPart> Find(std::string_view text) const;
  std::vector<ByteSpan> Matches(std::string_view text) const;

 private:
  struct Regex;
  std::string string_;
  std::shared_ptr<const Regex> regex_;  // null: string_ counts
};

// One part for each character that `is_match` takes, and one for what lies between two.
template <typename IsMatch>
std::vector<PatternPart> FindCharacters(std::string_view text, const IsMatch& is_match) {
  std::vector<PatternPart> parts;
  uint32_t seen = 0;
  for (uint32_t at = 0; at < text.size();) {
    const CodePoint c = CodePointAt(text, at);
    if (is_match(c.value)) {
      if (seen < c.begin) parts.push_back({{seen, c.begin}, false});
      parts.push_back({{c.begin, c.end}, true});
      seen = c.end;
    }
    at = c.end;
  }
  if (seen < text.size()) parts.push_back({{seen, static_cast<uint32_t>(text.size())}, false});
  return parts;
}

}  // namespace attend
