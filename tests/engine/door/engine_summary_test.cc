// Extractive summaries with the real all-MiniLM-L6-v2 (tools/get-models) through the engine's door,
// against what transformers and numpy give for the same texts (tests/golden/summaries). Skipped
// where the model was not fetched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "tests/engine/door/engine_fixture.h"

namespace attend {
namespace {

constexpr char kEncoder[] = ATTEND_SOURCE_DIR "/models/all-MiniLM-L6-v2";
// Of standard deviations; the kernels sum in another order than torch does.
constexpr double kTolerance = 2e-3;

std::vector<double> Numbers(const Json& json) {
  std::vector<double> out;
  for (const Json& element : json.Elements()) out.push_back(*element.AsNumber());
  return out;
}

std::vector<double> Standardised(std::vector<double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  for (double& value : values) value = squares > 0 ? (value - mean) / std::sqrt(squares / n) : 0;
  return values;
}

TextKind KindOf(const std::string& name) {
  if (name == "NEWS") return TextKind::kNews;
  if (name == "PAPER") return TextKind::kPaper;
  return name == "REVIEWS" ? TextKind::kReviews : TextKind::kGeneral;
}

class EngineSummaryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(std::string(kEncoder) + "/model.safetensors"))
      GTEST_SKIP() << "tools/get-models has not been run";
    EngineOptions options;
    options.scheduler.num_engines = 2;  // windows of one text are computed side by side
    engine_ = std::make_unique<Engine>(std::move(options));
    ASSERT_TRUE(engine_->Register("minilm", kEncoder).ok());
    ASSERT_TRUE(engine_->Load("minilm").ok());
  }

  absl::StatusOr<SummarizeOutput> Summarize(SummarizeInput input) {
    Answer<SummarizeOutput> answer;
    engine_->Summarize(std::move(input), {}, answer.done());
    return answer.Wait();
  }

  std::unique_ptr<Engine> engine_;
};

// One sentence a paragraph, so that the splitter finds those of the file.
TEST_F(EngineSummaryTest, SignalsAndChoicesEqualTheReference) {
  const Json file =
      Json::ReadFile(ATTEND_SOURCE_DIR "/tests/golden/summaries/summaries.json").value();
  int compared = 0;
  for (const Json& c : file.Get("cases")->Elements()) {
    const std::string name = *c.GetString("name");
    SCOPED_TRACE(name);
    SummarizeInput input;
    input.texts.emplace_back();
    std::vector<std::string> sentences;
    for (const Json& sentence : c.Get("sentences")->Elements()) {
      sentences.push_back(*sentence.AsString());
      input.texts[0] += sentences.back() + "\n\n";
    }
    input.budget.sentences = *c.GetInt("count");
    if (*c.GetString("kind_asked") != "AUTO") input.text_kind = KindOf(*c.GetString("kind"));
    input.include_sentence_attention = true;
    const auto output = Summarize(input);
    ASSERT_TRUE(output.ok()) << output.status();
    ASSERT_TRUE(output->outcomes[0].status.ok()) << output->outcomes[0].status;
    const Summary& summary = output->outcomes[0].summary;
    EXPECT_EQ(summary.text_kind, KindOf(*c.GetString("kind")));
    ASSERT_EQ(summary.sentences.size(), sentences.size());

    std::map<std::string, std::vector<double>> found;
    for (size_t i = 0; i < sentences.size(); ++i) {
      const ScoredSentence& sentence = summary.sentences[i];
      EXPECT_EQ(input.texts[0].substr(sentence.span.begin, sentence.span.size()), sentences[i]);
      for (const ScorePart& part : sentence.parts) found[part.name].push_back(part.value);
    }
    const std::vector<double> embedding = Standardised(Numbers(*c.Get("embedding")));
    const std::vector<double> attention = Standardised(Numbers(*c.Get("attention")));
    // Sentences that are all alike deviate by rounding alone.
    if (name == "all alike") continue;
    for (size_t i = 0; i < sentences.size(); ++i) {
      EXPECT_NEAR(found["embedding"].at(i), embedding[i], kTolerance) << i;
      if (summary.text_kind == TextKind::kReviews) continue;  // which do not look at it
      EXPECT_NEAR(found["attention"].at(i), attention[i], kTolerance) << i;
    }
    const std::vector<int64_t> order = c.Get("with_encoder")->Get("order")->AsInts().value();
    for (size_t rank = 0; rank < order.size(); ++rank) {
      const ScoredSentence& sentence = summary.sentences[static_cast<size_t>(order[rank])];
      EXPECT_EQ(sentence.rank, static_cast<int>(rank) + 1);
      EXPECT_TRUE(sentence.selected);
    }
    ++compared;
  }
  EXPECT_GE(compared, 10);
}

TEST_F(EngineSummaryTest, TheAttentionBetweenSentencesEqualsTheReference) {
  const Json file =
      Json::ReadFile(ATTEND_SOURCE_DIR "/tests/golden/summaries/summaries.json").value();
  for (const Json& c : file.Get("cases")->Elements()) {
    SummarizeInput input;
    input.texts.emplace_back();
    for (const Json& sentence : c.Get("sentences")->Elements())
      input.texts[0] += *sentence.AsString() + "\n\n";
    input.include_sentence_attention = true;
    const auto output = Summarize(input);
    ASSERT_TRUE(output.ok()) << output.status();
    const AttentionMatrix& matrix = *output->outcomes[0].summary.sentence_attention;
    const auto n = static_cast<size_t>(matrix.rows);
    ASSERT_EQ(matrix.weights.size(), n * n);
    std::vector<double> expected(n * n);
    for (const Json& window : c.Get("between")->Elements()) {
      const std::vector<int64_t> members = window.Get("sentences")->AsInts().value();
      const std::vector<Json> rows = window.Get("rows")->Elements();
      for (size_t r = 0; r < members.size(); ++r) {
        const std::vector<double> row = Numbers(rows[r]);
        for (size_t k = 0; k < members.size(); ++k)
          expected[static_cast<size_t>(members[r]) * n + static_cast<size_t>(members[k])] = row[k];
      }
    }
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(matrix.weights[i], expected[i], 1e-4) << *c.GetString("name") << " " << i;
  }
}

// A call's texts share windows of the batch, not results.
TEST_F(EngineSummaryTest, TextsDoNotDependOnTheirNeighbours) {
  std::vector<std::string> texts;
  for (int t = 0; t < 6; ++t) {
    std::string text;
    for (int s = 0; s < 30 + 11 * t; ++s) {
      text += "Sentence number " + std::to_string(s * (t + 1)) + " of text " + std::to_string(t) +
              " speaks of the " +
              (s % 3 == 0   ? "river"
               : s % 3 == 1 ? "old bridge"
                            : "boats") +
              ". ";
    }
    texts.push_back(std::move(text));
  }
  SummarizeInput all;
  all.texts = texts;
  const auto together = Summarize(all);
  ASSERT_TRUE(together.ok()) << together.status();
  for (size_t t = 0; t < texts.size(); ++t) {
    SummarizeInput one;
    one.texts = {texts[t]};
    const auto alone = Summarize(one);
    ASSERT_TRUE(alone.ok()) << alone.status();
    const auto& a = alone->outcomes[0].summary.sentences;
    const auto& b = together->outcomes[t].summary.sentences;
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].score, b[i].score) << t << " " << i;
  }
}

TEST_F(EngineSummaryTest, ASentenceLongerThanAWindowIsReadToItsEnd) {
  std::string text = "Short words come before it. The ";
  for (int i = 0; i < 400; ++i) text += "word" + std::to_string(i % 37) + " and ";
  text += "that is all. Short words come after it.";
  SummarizeInput input;
  input.texts = {text};
  input.include_sentence_attention = true;
  const auto output = Summarize(input);
  ASSERT_TRUE(output.ok()) << output.status();
  const Summary& summary = output->outcomes[0].summary;
  ASSERT_EQ(summary.sentences.size(), 3u);
  EXPECT_GE(summary.num_segments, 4) << "the long one alone takes several windows";
  EXPECT_GT(summary.input_tokens, 1200);
  EXPECT_NEAR(summary.sentence_attention->weights[4], 1, 1e-6) << "it is alone in its windows";
}

}  // namespace
}  // namespace attend
