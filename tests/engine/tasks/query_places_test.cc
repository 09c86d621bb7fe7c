// Which places of a text may answer.
#include "engine/tasks/query/query_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/error.h"
#include "engine/text/words.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Every word one token.
TextAxis AxisOf(std::string_view text) {
  TextAxis axis;
  for (const Word& word : SplitWords(text)) {
    AttendedToken token;
    token.span = word.span;
    token.word = static_cast<int>(axis.words.size());
    axis.tokens.push_back(token);
    axis.words.push_back({std::string(text.substr(word.span.begin, word.span.size())), word.span});
  }
  return axis;
}

ByteSpan Find(std::string_view text, std::string_view part) {
  const auto at = static_cast<uint32_t>(text.find(part));
  return {at, at + static_cast<uint32_t>(part.size())};
}

std::vector<std::string> Words(std::string_view text, const QueryRules& rules) {
  std::vector<std::string> words;
  for (const QueryPlace& place : PlacesOfWords(AxisOf(text), rules))
    words.emplace_back(text.substr(place.span.begin, place.span.size()));
  return words;
}

TEST(PlacesOfWords, ContentWordsButTheQuery) {
  const std::string text = "The cat, which sat there, said it was cold; it sat.";
  QueryRules rules;
  rules.query = Find(text, "sat");
  EXPECT_THAT(Words(text, rules), ElementsAre("cat", "said", "cold", "sat"));
  rules.only_earlier = true;
  EXPECT_THAT(Words(text, rules), ElementsAre("cat"));
  rules.include_function_words = true;
  EXPECT_THAT(Words(text, rules), ElementsAre("The", "cat", ",", "which"));
}

TEST(PlacesOfWords, TheListIsThatOfTheLanguage) {
  const std::string text = "L’homme a vu la voiture, car elle est rouge.";
  QueryRules rules;
  rules.query = Find(text, "elle");
  EXPECT_THAT(Words(text, rules), ElementsAre("homme", "voiture", "rouge"));  // guessed
  rules.language = "fr-CA";
  EXPECT_THAT(Words(text, rules), ElementsAre("homme", "voiture", "rouge"));
  rules.language = "de";  // no list: punctuation alone is left out
  EXPECT_EQ(Words(text, rules).size(), 9u);
}

TEST(PlacesOfWords, WordsWithoutTokensCannotAnswer) {
  TextAxis axis = AxisOf("cats chase mice");
  axis.tokens.erase(axis.tokens.begin());
  QueryRules rules;
  rules.query = axis.words[1].span;
  const auto places = PlacesOfWords(axis, rules);
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places[0].span, axis.words[2].span);
  EXPECT_THAT(places[0].tokens, ElementsAre(1));
}

TEST(PlacesOfCandidates, ErrorsNameTheCandidate) {
  const std::string text = "The cat sat because it was tired.";
  const TextAxis axis = AxisOf(text);
  const ByteSpan query = Find(text, "it "), good = Find(text, "The cat");
  const auto places = [&](ByteSpan second, ByteSpan window) {
    return PlacesOfCandidates(text, window, axis, {good, second}, query);
  };
  const ByteSpan all{0, static_cast<uint32_t>(text.size())};
  const auto both = places(Find(text, "tired"), all);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_THAT((*both)[0].tokens, ElementsAre(0, 1));
  const auto reason = [&](ByteSpan second, ByteSpan window) {
    const auto detail = GetErrorDetail(places(second, window).status());
    EXPECT_TRUE(detail && detail->field == "candidates[1]");
    return detail ? detail->reason : "";
  };
  EXPECT_EQ(reason({3, 4}, all), "SPAN_EMPTY");
  EXPECT_EQ(reason({4, 3}, all), "SPAN_INVALID");
  EXPECT_EQ(reason({4, 900}, all), "SPAN_INVALID");
  EXPECT_EQ(reason(query, all), "SPAN_INVALID");
  EXPECT_EQ(reason(Find(text, "tired"), {0, 20}), "INPUT_TOO_LONG");
}

TEST(TokensIn, TakesWhatTheSpanTouches) {
  const TextAxis axis = AxisOf("one two three");
  EXPECT_THAT(TokensIn(axis, {2, 5}), ElementsAre(0, 1));
  EXPECT_THAT(TokensIn(axis, {3, 4}), IsEmpty());
}

}  // namespace
}  // namespace attend
