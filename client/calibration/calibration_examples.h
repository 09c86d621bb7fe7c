// Example files of `attend calibrate`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace attend::client {

// Counts Unicode code points, as the server does when it is asked to.
struct TextSpan {
  uint32_t start = 0, end = 0;
  bool Overlaps(TextSpan other) const { return start < other.end && other.start < end; }
};

// A pronoun and what it refers to.
struct CoreferenceExample {
  int64_t line = 0;
  std::string text;
  TextSpan query, answer;
  std::vector<TextSpan> nouns;      // for the baseline of the nearest noun; may be empty
  std::optional<TextSpan> subject;  // for another baseline
  bool is_held_out = false;
};

// Indices of words that belong together; words are what white space separates.
struct PharaohLink {
  uint32_t source = 0, target = 0;
  bool is_sure = true;
};

struct AlignmentExample {
  int64_t line = 0;
  std::string source, target;
  std::vector<PharaohLink> links;
  bool is_held_out = false;
};

// Both read tab-separated text, the first line naming the columns: sentence, pronoun, antecedent
// and optionally split, nouns, subject; or source, target, links and optionally split. Spans are
// "41:43", several with commas between; links "0-0 1-2", possible ones "0p1"; splits "calibrate"
// and "heldout". Other columns are passed over. Without a column split every so-manieth example is
// held out that `held_out` is the share of. A file without a header line is taken as source,
// target, links. Not empty: "line 3: what is wrong".
std::string ParseCoreferenceExamples(const std::string& text, double held_out,
                                     std::vector<CoreferenceExample>* examples);
std::string ParseAlignmentExamples(const std::string& text, double held_out,
                                   std::vector<AlignmentExample>* examples);

// What white space separates, as spans of the text in code points.
std::vector<TextSpan> SpacedWords(const std::string& text);

}  // namespace attend::client
