#include "engine/text/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/text/unicode.h"
#include "tests/engine/text/hostile_texts.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const std::string& text) {
  std::vector<std::string> words;
  for (const Word& word : SplitWords(text))
    words.push_back(text.substr(word.span.begin, word.span.size()));
  return words;
}

TEST(SplitWords, CutsEnglish) {
  EXPECT_THAT(Texts("The cat, it seems, can't sleep."),
              ElementsAre("The", "cat", ",", "it", "seems", ",", "can't", "sleep", "."));
  EXPECT_THAT(Texts("  3.14 or 1,000 (50%)  "),
              ElementsAre("3.14", "or", "1,000", "(", "50", "%", ")"));
  EXPECT_THAT(Texts("mother-in-law"), ElementsAre("mother", "-", "in", "-", "law"));
  EXPECT_THAT(Texts("\u201CGo!\u201D"), ElementsAre("\u201C", "Go", "!", "\u201D"));
}

TEST(SplitWords, SplitsFrenchElisions) {
  EXPECT_THAT(
      Texts("L'homme qu'elle aime n'est pas d'ici."),
      ElementsAre("L'", "homme", "qu'", "elle", "aime", "n'", "est", "pas", "d'", "ici", "."));
  EXPECT_THAT(Texts("l\u2019\u00E9t\u00E9 jusqu\u2019au soir"),
              ElementsAre("l\u2019", "\u00E9t\u00E9", "jusqu\u2019", "au", "soir"));
  EXPECT_THAT(Texts("j't'aime"), ElementsAre("j'", "t'", "aime"));
  EXPECT_THAT(Texts("aujourd'hui quelqu'un prud'homme"),
              ElementsAre("aujourd'hui", "quelqu'un", "prud'homme"));
  EXPECT_THAT(Texts("\u00AB Viens ! \u00BB dit-il."),
              ElementsAre("\u00AB", "Viens", "!", "\u00BB", "dit", "-", "il", "."));
}

TEST(SplitWords, LeavesEnglishApostrophesAlone) {
  EXPECT_THAT(Texts("I'm he's they've don't o'clock rock'n'roll"),
              ElementsAre("I'm", "he's", "they've", "don't", "o'clock", "rock'n'roll"));
}

TEST(SplitWords, CutsChineseJapaneseAndThaiByDictionary) {
  EXPECT_THAT(Texts("\u4F60\u597D\uFF0C\u4E16\u754C\u3002"),
              ElementsAre("\u4F60\u597D", "\uFF0C", "\u4E16\u754C", "\u3002"));
  EXPECT_THAT(Texts("\u65E5\u672C\u8A9E\u3092\u52C9\u5F37\u3057\u307E\u3059"),
              ::testing::Contains("\u65E5\u672C\u8A9E"));
  EXPECT_GT(
      Texts("\u0E2A\u0E27\u0E31\u0E2A\u0E14\u0E35\u0E0A\u0E32\u0E27\u0E42\u0E25\u0E01").size(), 1u);
}

TEST(SplitWords, KnowsPunctuation) {
  const std::string text = "Oui, 2 \U0001F600!";
  std::vector<bool> marks;
  for (const Word& word : SplitWords(text)) marks.push_back(word.is_punctuation);
  EXPECT_THAT(marks, ElementsAre(false, true, false, true, true));
}

TEST(SplitWords, KeepsJoinedEmojiTogether) {
  const std::string family = "\U0001F468\u200D\U0001F469\u200D\U0001F467";
  EXPECT_THAT(Texts(family + " x"), ElementsAre(family, "x"));
}

TEST(SplitWords, FindsNothingInNothing) {
  EXPECT_THAT(Texts(""), IsEmpty());
  EXPECT_THAT(Texts(" \n\t\u3000"), IsEmpty());
  EXPECT_THAT(Texts("\xEF\xBB\xBF\u200E"), IsEmpty());
}

TEST(SplitWords, HoldsItsPropertiesOnAnyText) {
  for (const std::string& text : HostileTexts()) {
    SCOPED_TRACE(text.substr(0, 60));
    uint32_t last = 0;
    for (const Word& word : SplitWords(text)) {
      EXPECT_GE(word.span.begin, last);
      EXPECT_FALSE(word.span.empty());
      ASSERT_LE(word.span.end, text.size());
      EXPECT_EQ(CharacterBegin(text, word.span.begin), word.span.begin);
      EXPECT_EQ(CharacterBegin(text, word.span.end), word.span.end);
      EXPECT_FALSE(IsWhiteSpace(CodePointAt(text, word.span.begin).value));
      EXPECT_FALSE(IsWhiteSpace(CodePointBefore(text, word.span.end).value));
      for (uint32_t at = last; at < word.span.begin;) {
        const CodePoint c = CodePointAt(text, at);
        EXPECT_TRUE(IsWhiteSpace(c.value) || IsInvisible(c.value))
            << std::hex << static_cast<uint32_t>(c.value);
        at = c.end;
      }
      last = word.span.end;
    }
  }
}

TEST(AssignWords, TakesTheLargestOverlap) {
  const std::vector<Word> words = {{{0, 3}}, {{4, 8}}, {{8, 9}, true}};
  const std::vector<ByteSpan> tokens = {{0, 2}, {2, 3}, {2, 7}, {3, 4},
                                        {7, 9}, {9, 9}, {0, 0}, {9, 12}};
  EXPECT_THAT(AssignWords(tokens, words), ElementsAre(0, 0, 1, -1, 1, -1, -1, -1));
  EXPECT_THAT(AssignWords({}, words), IsEmpty());
  EXPECT_THAT(AssignWords(tokens, {}), ElementsAre(-1, -1, -1, -1, -1, -1, -1, -1));
}

}  // namespace
}  // namespace attend
