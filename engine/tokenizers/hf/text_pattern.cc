// Expressions are ICU's; those of tokenizer.json are written for Oniguruma, and what they use is
// the same in both. Matching works on UTF-8 as it is, so offsets need no way back.
#include "engine/tokenizers/hf/text_pattern.h"

#include <unicode/regex.h>
#include <unicode/unistr.h>
#include <unicode/utext.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/tokenizers/hf/json_place.h"

namespace attend {
namespace {

// In ICU's units, about a millisecond each.
constexpr int32_t kMostSteps = 2000;
constexpr size_t kMaxPatternBytes = 10'000;

}  // namespace

struct TextPattern::Regex {
  std::unique_ptr<icu::RegexPattern> pattern;
};

std::vector<ByteSpan> SplitRanges(const std::vector<PatternPart>& parts, SplitBehavior behavior) {
  std::vector<ByteSpan> ranges;
  bool was_match = false;
  const auto extend_or_add = [&](const PatternPart& part, bool extend) {
    if (extend && !ranges.empty()) {
      ranges.back().end = part.range.end;
    } else {
      ranges.push_back(part.range);
    }
    was_match = part.is_match;
  };
  switch (behavior) {
    case SplitBehavior::kRemoved:
      for (const PatternPart& part : parts) {
        if (!part.is_match) ranges.push_back(part.range);
      }
      break;
    case SplitBehavior::kIsolated:
      for (const PatternPart& part : parts) ranges.push_back(part.range);
      break;
    case SplitBehavior::kContiguous:
      for (const PatternPart& part : parts) extend_or_add(part, part.is_match == was_match);
      break;
    case SplitBehavior::kMergedWithPrevious:
      for (const PatternPart& part : parts) extend_or_add(part, part.is_match && !was_match);
      break;
    case SplitBehavior::kMergedWithNext:
      for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        if (part->is_match && !was_match && !ranges.empty()) {
          ranges.back().begin = part->range.begin;
        } else {
          ranges.push_back(part->range);
        }
        was_match = part->is_match;
      }
      std::reverse(ranges.begin(), ranges.end());
      break;
  }
  return ranges;
}

absl::StatusOr<SplitBehavior> ReadSplitBehavior(const Json& json, std::string_view key,
                                                SplitBehavior otherwise) {
  if (!json.Has(key)) return otherwise;
  ATTEND_ASSIGN_OR_RETURN(const std::string name, json.GetString(key));
  constexpr std::pair<std::string_view, SplitBehavior> kNames[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  for (const auto& [known, behavior] : kNames) {
    if (name == known) return behavior;
  }
  ATTEND_ASSIGN_OR_RETURN(const Json value, json.Get(key));
  return UnknownKind(value, name);
}

absl::StatusOr<TextPattern> TextPattern::Read(const Json& json) {
  if (json.IsString()) return OfString(*json.AsString());
  if (json.Has("String")) {
    ATTEND_ASSIGN_OR_RETURN(std::string text, json.GetString("String"));
    return OfString(std::move(text));
  }
  ATTEND_ASSIGN_OR_RETURN(const std::string expression, json.GetString("Regex"));
  ATTEND_ASSIGN_OR_RETURN(const Json value, json.Get("Regex"));
  if (expression.size() > kMaxPatternBytes) {
    return CorruptValue(value, absl::StrCat("longer than ", kMaxPatternBytes, " bytes"));
  }
  UErrorCode error = U_ZERO_ERROR;
  UParseError place;
  auto regex = std::make_shared<Regex>();
  regex->pattern.reset(
      icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(expression), 0, place, error));
  if (U_FAILURE(error)) {
    return CorruptValue(value, absl::StrCat("not a regular expression: ", u_errorName(error),
                                            " at character ", place.offset));
  }
  TextPattern pattern;
  pattern.regex_ = std::move(regex);
  return pattern;
}

TextPattern TextPattern::OfString(std::string text) {
  TextPattern pattern;
  pattern.string_ = std::move(text);
  return pattern;
}

std::vector<ByteSpan> TextPattern::Matches(std::string_view text) const {
  std::vector<ByteSpan> matches;
  if (regex_ == nullptr) {
    if (string_.empty()) return matches;
    for (size_t at = text.find(string_); at != std::string_view::npos;
         at = text.find(string_, at + string_.size())) {
      matches.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + string_.size())});
    }
    return matches;
  }
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<icu::RegexMatcher> matcher(regex_->pattern->matcher(error));
  // A file's expression may backtrack without end on some texts; what is found until then counts.
  if (U_SUCCESS(error)) matcher->setTimeLimit(kMostSteps, error);
  UText* const source =
      utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &error);
  if (U_SUCCESS(error)) {
    matcher->reset(source);
    while (matcher->find(error) && U_SUCCESS(error)) {
      const int64_t begin = matcher->start64(error), end = matcher->end64(error);
      if (begin < end) {
        matches.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
      }
    }
  }
  utext_close(source);
  return matches;
}

std::vector<PatternPart> TextPattern::Find(std::string_view text) const {
  std::vector<PatternPart> parts;
  uint32_t seen = 0;
  for (const ByteSpan match : Matches(text)) {
    if (seen < match.begin) parts.push_back({{seen, match.begin}, false});
    parts.push_back({match, true});
    seen = match.end;
  }
  if (seen < text.size()) parts.push_back({{seen, static_cast<uint32_t>(text.size())}, false});
  return parts;
}

}  // namespace attend
