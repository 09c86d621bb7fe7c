// Which words are nothing but grammar.
#include "engine/text/function_words.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/text/unicode.h"

namespace attend {
namespace {

TEST(IsFunctionWord, KnowsEnglishAndFrench) {
  for (const char* word : {"the", "The", "IT", "because", "don't", "Don\u2019t", "she's", "whom"})
    EXPECT_TRUE(IsFunctionWord(word, "en")) << word;
  for (const char* word : {"question", "car", "thought", "on-line", ""})
    EXPECT_FALSE(IsFunctionWord(word, "en")) << word;
  for (const char* word : {"la", "L'", "l\u2019", "ÉTAIT", "où", "qu'", "car"})
    EXPECT_TRUE(IsFunctionWord(word, "fr-FR")) << word;
  EXPECT_FALSE(IsFunctionWord("the", "fr"));
  EXPECT_FALSE(IsFunctionWord("the", "de"));
  EXPECT_FALSE(IsFunctionWord("the", ""));
}

TEST(GuessListLanguage, CountsKnownWords) {
  EXPECT_EQ(GuessListLanguage({"the", "cat", "on"}), "en");
  EXPECT_EQ(GuessListLanguage({"le", "chat", "est", "sur", "la", "table"}), "fr");
  EXPECT_EQ(GuessListLanguage({"Katze"}), "en");
  EXPECT_EQ(GuessListLanguage({}), "en");
}

TEST(IsPunctuation, HasNoLetterAndNoDigit) {
  for (const char* word : {"", ".", "\u2026", "\u00ab", "\U0001F600"})
    EXPECT_TRUE(IsPunctuation(word)) << word;
  for (const char* word : {"a", "7", "\u732b", "..x"}) EXPECT_FALSE(IsPunctuation(word)) << word;
}

TEST(Lowercase, EveryScriptThatHasCases) {
  EXPECT_EQ(Lowercase("Été À ΣΑΣ Я 7"), "été à σασ я 7");
  EXPECT_EQ(Lowercase("a\xFF"
                      "B"),
            "a\uFFFDb");  // ill-formed bytes count as a character
  EXPECT_EQ(Lowercase(""), "");
}

}  // namespace
}  // namespace attend
