// Which places there are is a matter of the text alone; their order, of the weights.
#include "engine/tasks/query/query_places.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/query/query_text.h"  // CheckSpan
#include "engine/text/function_words.h"

namespace attend {
namespace {

// The mean over the heads of what query and place give each other.
double MeanWeight(const QueryPlace& place, const QueryWeights& weights,
                  AttentionDirection direction) {
  double from = 0, to = 0;
  for (const HeadIndex head : weights.heads()) {
    from += static_cast<double>(weights.FromQuery(head, place.tokens));
    to += static_cast<double>(weights.ToQuery(head, place.tokens));
  }
  const double count = static_cast<double>(weights.heads().size());
  switch (direction) {
    case AttentionDirection::kFromQuery:
      return from / count;
    case AttentionDirection::kToQuery:
      return to / count;
    case AttentionDirection::kBoth:
      return (from + to) / 2 / count;
  }
  return 0;
}

double LogLinearScore(const QueryPlace& place, const QueryWeights& weights,
                      const AttentionPreset& preset) {
  double score = 0;
  for (const PresetTerm& term : preset.terms) {
    const float given = term.direction == AttentionDirection::kToQuery
                            ? weights.ToQuery(term.head, place.tokens)
                            : weights.FromQuery(term.head, place.tokens);
    score += term.weight * std::log(preset.floor + static_cast<double>(given));
  }
  return score;
}

// Shares of one: of the means, or, of scores, by softmax.
std::vector<double> Shares(absl::Span<const QueryPlace> places, const QueryWeights& weights,
                           const AttentionPreset& preset) {
  std::vector<double> shares;
  for (const QueryPlace& place : places) {
    shares.push_back(preset.terms.empty() ? MeanWeight(place, weights, preset.direction)
                                          : LogLinearScore(place, weights, preset));
  }
  if (!preset.terms.empty() && !shares.empty()) {
    const double largest = *std::max_element(shares.begin(), shares.end());
    for (double& share : shares) share = std::exp(share - largest);
  }
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (sum > 0) {
    for (double& share : shares) share /= sum;
  }
  return shares;
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
    places.push_back({word.span, std::move(tokens[w])});
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
    QueryPlace place{span, TokensIn(axis, span)};
    if (place.tokens.empty())
      return InvalidField("SPAN_EMPTY", field, "the tokenizer keeps nothing of the span");
    places.push_back(std::move(place));
  }
  return places;
}

std::vector<QueryAnswer> RankPlaces(std::string_view text, absl::Span<const QueryPlace> places,
                                    const QueryWeights& weights, const AttentionPreset& preset,
                                    int max_results) {
  const std::vector<double> shares = Shares(places, weights, preset);
  std::vector<QueryAnswer> answers;
  for (size_t i = 0; i < places.size(); ++i) {
    answers.push_back({"", places[i].span, static_cast<float>(shares[i])});
  }
  std::stable_sort(answers.begin(), answers.end(), [](const auto& a, const auto& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.span.begin < b.span.begin;
  });
  if (answers.size() > static_cast<size_t>(max_results))
    answers.resize(static_cast<size_t>(max_results));
  // Only now: a thousand candidates may each be most of the text.
  for (QueryAnswer& answer : answers)
    answer.text = std::string(text.substr(answer.span.begin, answer.span.size()));
  return answers;
}

}  // namespace attend
