// The arithmetic of extractive summaries against what numpy gives for the same texts
// (tests/golden/make/make_summaries.py); what an encoder would say is taken from the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/checkpoint/json.h"
#include "engine/tasks/summary/extract_text.h"
#include "engine/tasks/summary/sentence_scores.h"
#include "engine/tasks/summary/sentence_terms.h"
#include "engine/tasks/summary/text_kind.h"
#include "engine/text/unicode.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Case {
  std::string name, kind;
  int64_t count = 0;
  std::vector<std::string> sentences;
  std::vector<double> vocabulary, embedding, attention;
  Json with_encoder, without_encoder;
};

std::vector<double> Numbers(const Json& json) {
  std::vector<double> out;
  for (const Json& element : json.Elements()) out.push_back(*element.AsNumber());
  return out;
}

std::vector<Case> ReadCases() {
  auto json = Json::ReadFile(ATTEND_SOURCE_DIR "/tests/golden/summaries/summaries.json");
  EXPECT_TRUE(json.ok()) << json.status();
  std::vector<Case> out;
  for (const Json& element : json->Get("cases")->Elements()) {
    Case c;
    c.name = *element.GetString("name");
    c.kind = *element.GetString("kind");
    c.count = *element.GetInt("count");
    for (const Json& sentence : element.Get("sentences")->Elements())
      c.sentences.push_back(*sentence.AsString());
    c.vocabulary = Numbers(*element.Get("vocabulary"));
    c.embedding = Numbers(*element.Get("embedding"));
    c.attention = Numbers(*element.Get("attention"));
    c.with_encoder = *element.Get("with_encoder");
    c.without_encoder = *element.Get("without_encoder");
    out.push_back(std::move(c));
  }
  return out;
}

TextKind KindOf(const std::string& name) {
  if (name == "NEWS") return TextKind::kNews;
  if (name == "PAPER") return TextKind::kPaper;
  if (name == "REVIEWS") return TextKind::kReviews;
  return TextKind::kGeneral;
}

void ExpectNear(const std::vector<double>& found, const std::vector<double>& expected,
                double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

class SummaryScoresTest : public ::testing::Test {
 protected:
  // Scores, then the choice, as the file has them.
  static void Check(const Case& c, const SentenceSignals& signals, const Json& expected) {
    const SentenceScores scores = ScoreSentences(signals, KindOf(c.kind));
    ExpectNear(scores.raw, Numbers(*expected.Get("raw")), 1e-4);
    SummaryBudget budget;
    budget.sentences = c.count;
    const std::vector<int64_t> indices = *expected.Get("order")->AsInts();
    const std::vector<size_t> order(indices.begin(), indices.end());
    // Sentences that are equal but for rounding may change places.
    if (c.name != "all alike") {
      EXPECT_EQ(SelectSentences(scores, *signals.vectors, scores.redundancy, budget, {}), order);
    }
    double sum = 0;
    for (const double score : scores.scores) sum += score;
    EXPECT_NEAR(sum, 1, 1e-9);
  }
};

TEST_F(SummaryScoresTest, EqualTheReference) {
  const std::vector<Case> cases = ReadCases();
  ASSERT_GE(cases.size(), 10u);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    SentenceSignals signals;
    for (const std::string& sentence : c.sentences) signals.terms.push_back(TermsOf(sentence));
    const SentenceTerms vectors(signals.terms);
    signals.vectors = &vectors;
    ExpectNear(vectors.Centrality(), c.vocabulary, 1e-5);
    Check(c, signals, c.without_encoder);
    signals.encoder = {c.embedding, c.attention};
    Check(c, signals, c.with_encoder);
  }
}

TEST_F(SummaryScoresTest, TheKindIsSeenFromTheWords) {
  int guessed = 0;
  for (const Case& c : ReadCases()) {
    if (c.name == "paper as general" || c.name == "paper as news" || c.name == "several windows")
      continue;
    std::vector<std::vector<std::string>> terms;
    for (const std::string& sentence : c.sentences) terms.push_back(TermsOf(sentence));
    EXPECT_EQ(GuessTextKind(terms, SentenceTerms(terms)), KindOf(c.kind)) << c.name;
    guessed += c.kind == "GENERAL" ? 0 : 1;
  }
  EXPECT_GE(guessed, 3);
}

TEST(TermsOf, AreLowerCaseWordsOfAnyScript) {
  EXPECT_THAT(TermsOf("It's 3.5 km, says Été_2!"),
              ElementsAre("it", "s", "3", "5", "km", "says", "été", "2"));
  EXPECT_THAT(TermsOf("猫が。dog"), ElementsAre("猫", "が", "dog"));
  EXPECT_THAT(TermsOf(" -- \n"), IsEmpty());
}

TEST(IsCue, KnowsWhatPapersSay) {
  for (const char* cue :
       {"In this paper, trees grow", "Here we count", "We then propose it", "I study herons"})
    EXPECT_TRUE(IsCue(TermsOf(cue))) << cue;
  for (const char* other : {"This is paper", "We slept and then propose it", "They propose it", ""})
    EXPECT_FALSE(IsCue(TermsOf(other))) << other;
}

class SelectionTest : public ::testing::Test {
 protected:
  SelectionTest() {
    for (const char* sentence :
         {"red apples grow here", "red apples grow there", "the sea is deep and blue", "no"}) {
      terms_.push_back(TermsOf(sentence));
    }
    vectors_ = std::make_unique<SentenceTerms>(terms_);
    scores_.raw = {3, 2.9, 1, 10};
    scores_.eligible = {true, true, true, false};
  }
  std::vector<size_t> Select(double redundancy, const SummaryBudget& budget) {
    return SelectSentences(scores_, *vectors_, redundancy, budget, lengths_);
  }
  std::vector<std::vector<std::string>> terms_;
  std::unique_ptr<SentenceTerms> vectors_;
  SentenceScores scores_;
  const std::vector<int64_t> lengths_ = {20, 21, 24, 2};
};

TEST_F(SelectionTest, LikenessCosts) {
  SummaryBudget two;
  two.sentences = 2;
  EXPECT_THAT(Select(0, two), ElementsAre(0, 1));
  EXPECT_THAT(Select(1, two), ElementsAre(0, 2));
}

TEST_F(SelectionTest, FragmentsComeLast) {
  SummaryBudget budget;
  budget.sentences = 3;
  EXPECT_THAT(Select(0, budget), ElementsAre(0, 1, 2));
  budget.sentences = 100;
  EXPECT_THAT(Select(0, budget), ElementsAre(0, 1, 2, 3));
}

TEST_F(SelectionTest, BudgetsAreKept) {
  SummaryBudget budget;
  EXPECT_EQ(Select(0, budget).size(), 1u) << "a third of four";
  budget.ratio = 0.5;
  EXPECT_EQ(Select(0, budget).size(), 2u);
  budget.ratio = 0.01;
  EXPECT_EQ(Select(0, budget).size(), 1u) << "never nothing";
  budget.ratio.reset();
  budget.characters = 45;
  EXPECT_THAT(Select(0, budget), ElementsAre(0, 1, 3)) << "what still fits is taken";
  budget.characters = 1;
  EXPECT_THAT(Select(0, budget), IsEmpty());
}

TEST_F(SelectionTest, ManySentencesTakeLinearWork) {
  // Above the bound of picks that are compared the rest follows by score.
  std::vector<std::vector<std::string>> terms;
  SentenceScores scores;
  for (int i = 0; i < 20000; ++i) {
    terms.push_back(TermsOf("word" + std::to_string(i) + " and word" + std::to_string(i % 977) +
                            " stand here"));
    scores.raw.push_back(i % 101);
    scores.eligible.push_back(true);
  }
  SummaryBudget all;
  all.ratio = 1;
  const std::vector<size_t> order = SelectSentences(scores, SentenceTerms(terms), 0.5, all, {});
  EXPECT_EQ(order.size(), terms.size());
  EXPECT_TRUE(std::is_sorted(order.begin() + 1000, order.end(), [&](size_t a, size_t b) {
    return scores.raw[a] > scores.raw[b] + 2;  // within what likeness took off
  }));
}

TEST(ExtractText, KeepsWhatStandsBetween) {
  const std::string text = "One is here.  Two is here.\n\nThree is here. Four is here.";
  std::vector<ScoredSentence> sentences(4);
  sentences[0].span = {0, 12};
  sentences[1].span = {14, 26};
  sentences[2].span = {28, 42};
  sentences[3].span = {43, 56};
  const auto chosen = [&](std::vector<size_t> indices) {
    for (ScoredSentence& sentence : sentences) sentence.selected = false;
    for (const size_t i : indices) sentences[i].selected = true;
    return ExtractText(text, sentences);
  };
  EXPECT_EQ(chosen({0, 1}), "One is here.  Two is here.");
  EXPECT_EQ(chosen({0, 2}), "One is here.\nThree is here.");
  EXPECT_EQ(chosen({2, 3}), "Three is here. Four is here.");
  EXPECT_EQ(chosen({}), "");
  EXPECT_EQ(chosen({0, 1, 2, 3}), text);
}

TEST(MarkSentences, RanksTheChosenFirst) {
  SentenceScores scores;
  scores.raw = {1, 5, 3};
  scores.scores = {0.1, 0.6, 0.3};
  scores.parts.resize(3);
  const std::vector<ByteSpan> spans = {{0, 1}, {1, 2}, {2, 3}};
  const std::vector<size_t> order = {2};
  const auto marked = MarkSentences(spans, scores, order);
  EXPECT_EQ(marked[2].rank, 1);
  EXPECT_EQ(marked[1].rank, 2);
  EXPECT_EQ(marked[0].rank, 3);
  EXPECT_TRUE(marked[2].selected);
  EXPECT_FALSE(marked[1].selected);
}

}  // namespace
}  // namespace attend
