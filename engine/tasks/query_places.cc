// A place is attended to with the sum over its tokens and attends with their mean, as rows and
// columns of words are folded everywhere.
#include "engine/tasks/query_places.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/query_text.h"  // CheckSpan
#include "engine/text/function_words.h"

namespace attend {
namespace {

bool Overlaps(ByteSpan a, ByteSpan b) { return a.begin < b.end && b.begin < a.end; }

float Weigh(const QueryPlace& place, const QueryWeights& weights, AttentionDirection direction) {
  float from = 0, to = 0;
  for (const int token : place.tokens) {
    from += weights.from_query()[static_cast<size_t>(token)];
    to += weights.to_query()[static_cast<size_t>(token)];
  }
  to /= static_cast<float>(place.tokens.size());
  switch (direction) {
    case AttentionDirection::kFromQuery:
      return from;
    case AttentionDirection::kToQuery:
      return to;
    case AttentionDirection::kBoth:
      return (from + to) / 2;
  }
  return 0;
}

std::string ListLanguage(const TextAxis& axis, const std::string& language) {
  if (!language.empty()) return language;
  std::vector<std::string_view> words;
  words.reserve(axis.words.size());
  for (const AttendedWord& word : axis.words) words.push_back(word.text);
  return std::string(GuessListLanguage(words));
}

}  // namespace

std::vector<int> TokensIn(const TextAxis& axis, ByteSpan span) {
  std::vector<int> tokens;
  for (size_t i = 0; i < axis.tokens.size(); ++i) {
    const AttendedToken& token = axis.tokens[i];
    if (!token.special && Overlaps(token.span, span)) tokens.push_back(static_cast<int>(i));
  }
  return tokens;
}

std::vector<QueryPlace> PlacesOfWords(const TextAxis& axis, const QueryRules& rules) {
  std::vector<std::vector<int>> tokens(axis.words.size());
  std::vector<bool> is_own(axis.words.size(), false);
  for (size_t i = 0; i < axis.tokens.size(); ++i) {
    const AttendedToken& token = axis.tokens[i];
    if (token.special || token.word < 0) continue;
    const auto word = static_cast<size_t>(token.word);
    tokens[word].push_back(static_cast<int>(i));
    if (Overlaps(token.span, rules.query)) is_own[word] = true;
  }
  const std::string language = ListLanguage(axis, rules.language);
  std::vector<QueryPlace> places;
  for (size_t w = 0; w < axis.words.size(); ++w) {
    const AttendedWord& word = axis.words[w];
    if (tokens[w].empty() || is_own[w] || Overlaps(word.span, rules.query)) continue;
    if (rules.only_earlier && word.span.begin >= rules.query.begin) continue;
    if (!rules.include_function_words &&
        (IsPunctuation(word.text) || IsFunctionWord(word.text, language)))
      continue;
    places.push_back({word.text, word.span, std::move(tokens[w])});
  }
  return places;
}

absl::StatusOr<std::vector<QueryPlace>> PlacesOfCandidates(std::string_view text, ByteSpan window,
                                                           const TextAxis& axis,
                                                           absl::Span<const ByteSpan> candidates,
                                                           ByteSpan query) {
  std::vector<QueryPlace> places;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const ByteSpan span = candidates[i];
    const std::string field = absl::StrCat("candidates[", i, "]");
    ATTEND_RETURN_IF_ERROR(CheckSpan(text, span, field));
    if (Overlaps(span, query)) {
      return InvalidField("SPAN_INVALID", field, "a candidate must not overlap the query");
    }
    if (span.begin < window.begin || span.end > window.end) {
      return InvalidField(
          "INPUT_TOO_LONG", field,
          absl::StrCat("the text is longer than the model reads at once; bytes ", window.begin,
                       " to ", window.end, " around the query fit, this candidate is outside"));
    }
    QueryPlace place{std::string(text.substr(span.begin, span.size())), span, TokensIn(axis, span)};
    if (place.tokens.empty())
      return InvalidField("SPAN_EMPTY", field, "the tokenizer keeps nothing of the span");
    places.push_back(std::move(place));
  }
  return places;
}

std::vector<QueryAnswer> RankPlaces(absl::Span<const QueryPlace> places,
                                    const QueryWeights& weights, AttentionDirection direction,
                                    int max_results) {
  std::vector<QueryAnswer> answers;
  float sum = 0;
  for (const QueryPlace& place : places) {
    answers.push_back({place.text, place.span, Weigh(place, weights, direction)});
    sum += answers.back().weight;
  }
  if (sum > 0) {
    for (QueryAnswer& answer : answers) answer.weight /= sum;
  }
  std::stable_sort(answers.begin(), answers.end(), [](const auto& a, const auto& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.span.begin < b.span.begin;
  });
  if (answers.size() > static_cast<size_t>(max_results))
    answers.resize(static_cast<size_t>(max_results));
  return answers;
}

}  // namespace attend
