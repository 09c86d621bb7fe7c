#include "engine/text/sentence_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/text/unicode.h"
#include "tests/engine/text/hostile_texts.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

std::vector<std::string> Split(const std::string& text, const std::string& language) {
  std::vector<std::string> sentences;
  for (const ByteSpan span : SplitSentences(text, language))
    sentences.push_back(text.substr(span.begin, span.size()));
  return sentences;
}

// Each row is a text as its sentences, to be found again when joined by single spaces.
struct Row {
  const char* language;
  std::vector<std::string> sentences;
};

void ExpectFoundAgain(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    std::string text;
    for (const std::string& sentence : row.sentences) text += (text.empty() ? "" : " ") + sentence;
    for (const std::string language : {row.language, ""}) {
      EXPECT_THAT(Split(text, language), ElementsAreArray(row.sentences))
          << "language '" << language << "': " << text;
    }
  }
}

TEST(SplitSentences, English) {
  ExpectFoundAgain({
      {"en", {"Hello."}},
      {"en", {"No final stop"}},
      {"en", {"One here.", "Two here!", "Three here?", "No stop"}},
      {"en", {"What?!", "Yes!!!", "Really...", "Well."}},
      {"en", {"Mr. Smith met Mrs. Jones and Dr. Who.", "They left."}},
      {"en", {"Fruit, e.g. Apples, i.e. Round ones, are cheap.", "Buy some."}},
      {"en", {"See Prof. Lee vs. Kim.", "It is fun."}},
      {"en", {"It costs $3.50 today.", "Pi is 3.14159.", "Done."}},
      {"en", {"J. K. Rowling wrote it.", "J.R.R. Tolkien did not."}},
      {"en", {"George W. Bush spoke.", "He left."}},
      {"en", {"The U.S. Army came from the U.S.", "They stayed."}},
      {"en", {"We met at 5 p.m.", "Then we ate.", "At 9 a.m. we left."}},
      {"en", {"Apples, pears, etc.", "The rest is gone.", "Plums, etc. are here."}},
      {"en", {"Acme Inc. Chairman Bob left Acme Inc.", "The end."}},
      {"en", {"See p. 5 and No. 7 and Fig. 3.", "No more."}},
      {"en", {"He said no.", "Then he left."}},
      {"en", {"\"Stop!\" he said.", "\"Why?\" she asked."}},
      {"en", {"He said \"Go.\"", "Then he left."}},
      {"en", {"\u201CGo.\u201D", "\u201CWhere?\u201D", "\u2018There.\u2019"}},
      {"en", {"(This is one.)", "(This is two.)", "Three."}},
      {"en", {"It works (!) well.", "I mean (...) it."}},
      {"en", {"Visit https://example.org/a.b?c=d or www.example.com.", "Thanks."}},
      {"en", {"Mail a.b@example.co.uk now.", "Open file.txt.", "Use .NET now."}},
      {"en", {"Wait... what?", "Wait...", "What?", "So\u2026 yes\u2026", "No."}},
      {"en", {"It was proved.[12]", "Then it was not.[3]"}},
      {"en", {"Born in 1999.", "Died in 2020.", "3 people came."}},
      {"en", {"Tell me.", "He wore a cap.", "She did."}},
      {"en", {"Is it so?", "\u2014 Yes.", "- No."}},
      {"en", {"The company (est. 1901) grew.", "It shrank."}},
      {"en", {"J. R. R. Tolkien wrote it.", "\"He left.\" she said.", "\"Why?\" asked Tom."}},
      {"en", {"He said \"I go\".", "It was shown before [12].", "See [3, 4]."}},
      {"en", {"It was proved.[3, 5\u20137]", "Then it was not.\u00B2", "So?[1]", "It ended."}},
      {"en", {"Smith et al. (2019) did.", "So did Lee et al.", "The end."}},
      {"en", {"See Fig. S1, Eq. B and the no. 1 of vol. 3, no. 2.", "Then Sec. 4."}},
      {"en", {"At 5 p.m. EST he left.", "At 9 a.m. Monday he came.", "He ate at 5 p.m.", "So?"}},
      {"en", {"St. Petersburg is cold.", "He lives in Main St.", "The house is red."}},
      {"en", {"**It is bold.**", "_It is not._", "So."}},
      {"en", {"And so . . . it ended.", "Wait \u2026 what?", "Go."}},
      {"en", {"Section 2.1 says so.", "Version 1.2.3 is out.", "Use it at 10.30."}},
  });
}

TEST(SplitSentences, French) {
  ExpectFoundAgain({
      {"fr", {"Bonjour.", "\u00C7a va ?", "Oui !"}},
      {"fr", {"M. Dupont et Mme. Durand sont l\u00E0.", "Ils partent."}},
      {"fr", {"Il dit : \u00AB Viens ! \u00BB puis il part.", "Elle reste."}},
      {"fr", {"\u00AB Viens ! \u00BB", "Il part."}},
      {"fr", {"\u00AB Viens\u00A0! \u00BB", "\u00AB Non\u202F! \u00BB", "Fin."}},
      {"fr", {"\u00AB Quoi ? \u00BB dit-il.", "Rien."}},
      {"fr", {"Il dit \u00AB oui. \u00BB", "Elle dit non."}},
      {"fr", {"Voir p. 12, art. 3, c.-\u00E0-d. Paris, etc.", "Le reste suit."}},
      {"fr", {"N\u00E9 en 50 av. J.-C. \u00E0 Rome.", "Mort ensuite."}},
      {"fr", {"Le prix est de 3,50 \u20AC.", "C'est cher."}},
      {"fr", {"\u00C9. Zola a \u00E9crit.", "Il est mort."}},
      {"fr", {"Elle attend\u2026", "Puis elle part.", "Oh\u2026 non !"}},
      {"fr", {"\u2014 Oui.", "\u2014 Non ?", "\u2014 Si !"}},
  });
}

TEST(SplitSentences, ChineseAndJapaneseNeedNoSpaces) {
  EXPECT_THAT(
      Split("\u4F60\u597D\u3002\u4F60\u597D\u5417\uFF1F\u6211\u5F88\u597D\uFF01", "zh"),
      ElementsAre("\u4F60\u597D\u3002", "\u4F60\u597D\u5417\uFF1F", "\u6211\u5F88\u597D\uFF01"));
  EXPECT_THAT(
      Split("\u4ED6\u8BF4\uFF1A\u201C\u4F60\u597D\u3002\u201D\u6211\u8D70\u4E86\u3002", "zh"),
      ElementsAre("\u4ED6\u8BF4\uFF1A\u201C\u4F60\u597D\u3002\u201D", "\u6211\u8D70\u4E86\u3002"));
  EXPECT_THAT(Split("\u4F60\u597D\u5417?\u6211\u5F88\u597D!\u518D\u89C1.", "zh"),
              ElementsAre("\u4F60\u597D\u5417?", "\u6211\u5F88\u597D!", "\u518D\u89C1."));
  EXPECT_THAT(Split("\u5706\u5468\u7387\u662F3.14\u3002\u5BF9\u3002", "zh"),
              ElementsAre("\u5706\u5468\u7387\u662F3.14\u3002", "\u5BF9\u3002"));
  EXPECT_THAT(
      Split("\u300C\u306F\u3044\u3002\u300D\u3068\u8A00\u3063\u305F\u3002\u7D42\u308F\u308A\u3002",
            "ja"),
      ElementsAre("\u300C\u306F\u3044\u3002\u300D\u3068\u8A00\u3063\u305F\u3002",
                  "\u7D42\u308F\u308A\u3002"));
  EXPECT_THAT(
      Split("\u300C\u306F\u3044\u3002\u300D\n\u300C\u3044\u3044\u3048\u3002\u300D", "ja"),
      ElementsAre("\u300C\u306F\u3044\u3002\u300D", "\u300C\u3044\u3044\u3048\u3002\u300D"));
  EXPECT_THAT(
      Split("\u3053\u308C\u306F\u672C\u3067\u3059\u3002\u305D\u308C\u306F\u9EBA\u3067\u3059\u3002",
            "ja"),
      ElementsAre("\u3053\u308C\u306F\u672C\u3067\u3059\u3002",
                  "\u305D\u308C\u306F\u9EBA\u3067\u3059\u3002"));
}

TEST(SplitSentences, OtherScriptsHaveStopsOfTheirOwn) {
  ExpectFoundAgain({
      {"ar", {"\u0646\u0635\u061F", "\u0646\u0635.", "\u0646\u0635 \u0646\u0635"}},
      {"ur", {"\u06CC\u06C1\u06D4", "\u0648\u06C1\u06D4"}},
      {"hi", {"\u092F\u0939 \u0939\u0948\u0964", "\u0935\u0939 \u0939\u0948\u0964"}},
      {"es", {"\u00BFQu\u00E9 hora es?", "\u00A1Hola!", "Fin."}},
  });
  EXPECT_THAT(Split("\u5168\u89D2\uFF0E\u6B21\uFF0E", "ja"),
              ElementsAre("\u5168\u89D2\uFF0E", "\u6B21\uFF0E"));
}

TEST(SplitSentences, ATextWithoutStopsIsOneSentence) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "word ";
  for (const LineBreaks breaks : {LineBreaks::kEndSentences, LineBreaks::kByLayout})
    EXPECT_EQ(SplitSentences(text, SplitOptions{"en", breaks}).size(), 1u);
}

TEST(SplitSentences, LineBreaksEndSentences) {
  EXPECT_THAT(Split("A Heading\n\nThe text. More\r\ntext\r\n\r\n- an item\n- another\n", "en"),
              ElementsAre("A Heading", "The text.", "More", "text", "- an item", "- another"));
  EXPECT_THAT(Split("1. First item\n2) Second. And more\na. Third\niv. Fourth\n2.1. Fifth", "en"),
              ElementsAre("1. First item", "2) Second.", "And more", "a. Third", "iv. Fourth",
                          "2.1. Fifth"));
  EXPECT_THAT(Split("\u2022 One. Two\u2028Three\u2029Four\u0085"
                    "Five",
                    "en"),
              ElementsAre("\u2022 One.", "Two", "Three", "Four", "Five"));
  EXPECT_THAT(Split("...\n***\nText", "en"), ElementsAre("...", "***", "Text"));
}

TEST(SplitSentences, InADocumentASentenceGoesOnOverTheMargin) {
  const std::string text =
      "A Heading\n\nThis paragraph was wrapped by hand at some seventy columns, so\n"
      "that sentences go on over line breaks. The President of the United\n"
      "States met Dr.\nSmith. Then he left.\n\n- One item. Or two\n- Another\n";
  std::vector<std::string> sentences;
  for (const ByteSpan span : SplitSentences(text, SplitOptions{"en", LineBreaks::kByLayout}))
    sentences.push_back(text.substr(span.begin, span.size()));
  EXPECT_THAT(sentences,
              ElementsAre("A Heading",
                          "This paragraph was wrapped by hand at some seventy columns, so\n"
                          "that sentences go on over line breaks.",
                          "The President of the United\nStates met Dr.", "Smith.", "Then he left.",
                          "- One item.", "Or two", "- Another"));
}

TEST(SplitSentences, LanguageChoosesTheList) {
  EXPECT_THAT(Split("Voir env. Paris.", "fr-CA"), ElementsAre("Voir env. Paris."));
  EXPECT_THAT(Split("Voir env. Paris.", "EN_us"), ElementsAre("Voir env.", "Paris."));
  EXPECT_THAT(Split("Voir env. Paris.", "de"), ElementsAre("Voir env. Paris."));
}

void ExpectOnlyWhiteSpaceBetween(const std::string& text, std::vector<ByteSpan> spans) {
  SCOPED_TRACE(text.substr(0, 60));
  uint32_t last = 0;
  const auto size = static_cast<uint32_t>(text.size());
  spans.push_back({size, size});
  for (const ByteSpan span : spans) {
    ASSERT_GE(span.begin, last);
    ASSERT_LE(span.end, size);
    for (uint32_t at = last; at < span.begin; at = CodePointAt(text, at).end) {
      EXPECT_TRUE(IsWhiteSpace(CodePointAt(text, at).value));
    }
    EXPECT_EQ(CharacterBegin(text, span.begin), span.begin);
    EXPECT_EQ(CharacterBegin(text, span.end), span.end);
    EXPECT_EQ(TrimWhiteSpace(text, span), span);
    EXPECT_EQ(span.empty(), span.begin == size);
    last = span.end;
  }
}

TEST(SplitSentences, OnlyWhiteSpaceLiesBetween) {
  for (const std::string& text : HostileTexts()) {
    ExpectOnlyWhiteSpaceBetween(text, SplitSentences(text, ""));
    ExpectOnlyWhiteSpaceBetween(text, SplitSentences(text, {"", LineBreaks::kByLayout}));
  }
}

std::vector<std::string> CutsOfRank(const std::string& text, int rank) {
  std::vector<std::string> before;
  for (const CutPoint& cut : CutPoints(text, {0, static_cast<uint32_t>(text.size())})) {
    if (cut.rank == rank) before.push_back(text.substr(0, cut.offset));
  }
  return before;
}

TEST(SplitSentences, WhiteSpaceBetweenSentencesCostsNoMoreThanItsLength) {
  // Looking ahead from every place in the first half for what follows it would take minutes here.
  constexpr size_t kSentences = 200000;
  std::string sentences(4 * kSentences, ' '), initials = sentences;
  for (size_t i = 0; i < kSentences; ++i) {
    sentences += "Go. ";
    initials += "B. ";
  }
  EXPECT_EQ(SplitSentences(sentences, "en").size(), kSentences);
  EXPECT_EQ(SplitSentences(initials, "en").size(), 1u);
  EXPECT_EQ(SplitSentences(sentences, {"en", LineBreaks::kByLayout}).size(), kSentences);
}

TEST(CutPoints, RanksClausesThenSpacesThenCharacters) {
  EXPECT_THAT(CutsOfRank("a, b 1,5 c", 0), ElementsAre("a,"));
  EXPECT_THAT(CutsOfRank("a, b  cd", 1), ElementsAre("a, ", "a, b  "));
  EXPECT_THAT(CutsOfRank("ab", 2), ElementsAre("a"));
  EXPECT_THAT(CutsOfRank("x \u2013 y ; z : w", 0),
              ElementsAre("x \u2013", "x \u2013 y ;", "x \u2013 y ; z :"));
  EXPECT_THAT(CutsOfRank("\u4F60\uFF0C\u597D\u3001\u5417", 0),
              ElementsAre("\u4F60\uFF0C", "\u4F60\uFF0C\u597D\u3001"));
}

TEST(CutPoints, KeepsWhatBelongsTogether) {
  EXPECT_THAT(CutsOfRank("e\u0301x", 2), ElementsAre("e\u0301"));
  const std::string family = "\U0001F468\u200D\U0001F469";
  EXPECT_THAT(CutsOfRank(family + "x", 2), ElementsAre(family));
  const std::string flags = "\U0001F1EB\U0001F1F7\U0001F1E9\U0001F1EA";
  EXPECT_THAT(CutsOfRank(flags, 2), ElementsAre(flags.substr(0, 8)));
}

TEST(CutPoints, AlwaysFindsSomewhereToCut) {
  std::string marks = "a";
  for (int i = 0; i < 5000; ++i) marks += "\u0301";
  EXPECT_GT(CutPoints(marks, {0, static_cast<uint32_t>(marks.size())}).size(), 100u);
}

TEST(CutPoints, LieInsideTheSentenceInOrderOnCharacters) {
  for (const std::string& text : HostileTexts()) {
    for (const ByteSpan sentence : SplitSentences(text, "")) {
      uint32_t last = sentence.begin;
      for (const CutPoint& cut : CutPoints(text, sentence)) {
        EXPECT_GT(cut.offset, last);
        EXPECT_LT(cut.offset, sentence.end);
        EXPECT_EQ(CharacterBegin(text, cut.offset), cut.offset);
        EXPECT_TRUE(cut.rank >= 0 && cut.rank <= 2);
        last = cut.offset;
      }
    }
  }
}

}  // namespace
}  // namespace attend
