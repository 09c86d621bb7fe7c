// Strict: an example that is read wrongly would move every figure.
#include "client/calibration/calibration_examples.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

#include "client/text_width.h"

namespace attend::client {
namespace {

using Fields = std::vector<std::string_view>;

Fields Split(std::string_view text, char separator) {
  Fields fields;
  for (;;) {
    const std::size_t at = text.find(separator);
    fields.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return fields;
    text.remove_prefix(at + 1);
  }
}

// All of the text as a number.
bool ParseNumber(std::string_view text, uint32_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

uint32_t CodePoints(std::string_view text) {
  return static_cast<uint32_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// A line's fields by the names of their columns.
class Row {
 public:
  Row(const std::map<std::string, std::size_t>& columns, Fields fields)
      : columns_(columns), fields_(std::move(fields)) {}

  bool Has(const std::string& column) const {
    const auto found = columns_.find(column);
    return found != columns_.end() && found->second < fields_.size() &&
           !fields_[found->second].empty() && fields_[found->second] != "-";
  }
  std::string_view Get(const std::string& column) const {
    return Has(column) ? fields_[columns_.at(column)] : std::string_view();
  }

 private:
  const std::map<std::string, std::size_t>& columns_;
  Fields fields_;
};

// Every so-manieth example is held out.
bool IsHeldOut(std::size_t index, double share) {
  return std::floor(static_cast<double>(index + 1) * share + 1e-9) >
         std::floor(static_cast<double>(index) * share + 1e-9);
}

std::string ReadSplit(const Row& row, std::size_t index, double share, bool* is_held_out) {
  *is_held_out = IsHeldOut(index, share);
  if (!row.Has("split")) return "";
  const std::string_view split = row.Get("split");
  *is_held_out = split == "heldout";
  if (split == "heldout" || split == "calibrate") return "";
  return "the split is neither calibrate nor heldout";
}

std::string ReadSpan(std::string_view text, uint32_t size, TextSpan* span) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !ParseNumber(text.substr(0, colon), &span->start) ||
      !ParseNumber(text.substr(colon + 1), &span->end) || span->start >= span->end ||
      span->end > size) {
    return "'" + std::string(text) + "' is no span START:END within the sentence";
  }
  return "";
}

std::string ReadCoreference(const Row& row, CoreferenceExample* example) {
  example->text = std::string(row.Get("sentence"));
  if (example->text.empty()) return "no sentence";
  const uint32_t size = CodePoints(example->text);
  if (std::string problem = ReadSpan(row.Get("pronoun"), size, &example->query); !problem.empty())
    return "pronoun: " + problem;
  if (std::string problem = ReadSpan(row.Get("antecedent"), size, &example->answer);
      !problem.empty())
    return "antecedent: " + problem;
  if (example->query.Overlaps(example->answer)) return "pronoun and antecedent overlap";
  if (row.Has("nouns")) {
    for (const std::string_view text : Split(row.Get("nouns"), ',')) {
      TextSpan span;
      if (std::string problem = ReadSpan(text, size, &span); !problem.empty())
        return "nouns: " + problem;
      example->nouns.push_back(span);
    }
  }
  if (row.Has("subject")) {
    TextSpan span;
    if (std::string problem = ReadSpan(row.Get("subject"), size, &span); !problem.empty())
      return "subject: " + problem;
    example->subject = span;
  }
  return "";
}

std::string ReadAlignment(const Row& row, AlignmentExample* example) {
  example->source = std::string(row.Get("source"));
  example->target = std::string(row.Get("target"));
  const std::size_t num_source = SpacedWords(example->source).size();
  const std::size_t num_target = SpacedWords(example->target).size();
  if (num_source == 0 || num_target == 0) return "source or target is empty";
  for (const std::string_view text : Split(row.Get("links"), ' ')) {
    if (text.empty()) continue;
    const std::size_t at = text.find_first_of("-p");
    PharaohLink link;
    link.is_sure = at != std::string_view::npos && text[at] == '-';
    if (at == std::string_view::npos || !ParseNumber(text.substr(0, at), &link.source) ||
        !ParseNumber(text.substr(at + 1), &link.target) || link.source >= num_source ||
        link.target >= num_target) {
      return "'" + std::string(text) +
             "' is no link SOURCE-TARGET between words that spaces separate";
    }
    example->links.push_back(link);
  }
  return example->links.empty() ? "no links" : "";
}

template <typename Example, typename Read>
std::string ParseLines(const std::string& text, double held_out,
                       const std::vector<std::string>& required, Read read,
                       std::vector<Example>* examples) {
  std::map<std::string, std::size_t> columns;
  int64_t number = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const std::string where = "line " + std::to_string(number) + ": ";
    if (FirstInvalidUtf8(line) != std::string::npos) return where + "not valid UTF-8";
    Fields fields = Split(line, '\t');
    if (columns.empty()) {
      for (std::size_t i = 0; i < fields.size(); ++i) columns[std::string(fields[i])] = i;
      const bool has_all = std::all_of(required.begin(), required.end(),
                                       [&](const auto& name) { return columns.count(name) > 0; });
      if (has_all) continue;
      const bool may_lack = required.front() == "source" && columns.count("source") == 0;
      columns.clear();
      if (!may_lack)
        return where + "the columns must be named here, among them " + required[0] + ", " +
               required[1] + " and " + required[2];
      for (std::size_t i = 0; i < required.size(); ++i) columns[required[i]] = i;
    }
    Example example;
    example.line = number;
    const Row row(columns, std::move(fields));
    std::string problem = ReadSplit(row, examples->size(), held_out, &example.is_held_out);
    if (problem.empty()) problem = read(row, &example);
    if (!problem.empty()) return where + problem;
    examples->push_back(std::move(example));
  }
  return examples->empty() ? "there are no examples in it" : "";
}

}  // namespace

std::string ParseCoreferenceExamples(const std::string& text, double held_out,
                                     std::vector<CoreferenceExample>* examples) {
  return ParseLines<CoreferenceExample>(text, held_out, {"sentence", "pronoun", "antecedent"},
                                        ReadCoreference, examples);
}

std::string ParseAlignmentExamples(const std::string& text, double held_out,
                                   std::vector<AlignmentExample>* examples) {
  return ParseLines<AlignmentExample>(text, held_out, {"source", "target", "links"}, ReadAlignment,
                                      examples);
}

std::vector<TextSpan> SpacedWords(const std::string& text) {
  std::vector<TextSpan> words;
  uint32_t at = 0;
  bool in_word = false;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) continue;
    const bool is_space = c == ' ' || c == '\t';
    if (!is_space && !in_word) words.push_back({at, at});
    in_word = !is_space;
    ++at;
    if (in_word) words.back().end = at;
  }
  return words;
}

}  // namespace attend::client
