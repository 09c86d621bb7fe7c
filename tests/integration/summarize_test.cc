// Summarize and StreamSummarize as a client sees them: what a summary holds, units of spans,
// options and outcomes, streaming equal to unary. The models are tiny and know nothing; what is
// asserted follows from the text and from other answers of the same server.
#include <algorithm>
#include <atomic>
#include <numeric>
#include <set>
#include <thread>

#include "attend/v1/summarization.grpc.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kText =
    "A Heading\n\nThe cat sat on the mat. Dr. Smith saw it at 5 p.m. EST. It was happy!\n"
    "My brother reads the question to the children.\n\n- The old bridge is closed.\n- Nobody knows "
    "why.\n";

ServerOptions SummaryOptions() {
  ServerOptions options = TinyOptions();
  options.models.push_back({"bart", ATTEND_SOURCE_DIR "/tests/golden/bart_tiny/model"});
  return options;
}

ServerUnderTest& SummaryServer() {
  static ServerUnderTest server(SummaryOptions());
  return server;
}

v1::SummarizeRequest RequestOf(const std::vector<std::string>& texts) {
  v1::SummarizeRequest request;
  request.mutable_config()->set_model("tiny");
  for (const std::string& text : texts) request.add_texts(text);
  return request;
}

v1::SummarizeRequest AbstractiveRequestOf(const std::vector<std::string>& texts) {
  v1::SummarizeRequest request = RequestOf(texts);
  request.mutable_config()->set_model("bart");
  request.mutable_config()->set_mode(v1::SUMMARY_MODE_ABSTRACTIVE);
  request.mutable_config()->mutable_decoding()->set_max_output_tokens(12);
  return request;
}

v1::SummarizeResponse Summarize(const v1::SummarizeRequest& request) {
  grpc::ClientContext context;
  v1::SummarizeResponse response;
  const grpc::Status status =
      SummaryServer().summarization->Summarize(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Summary(status) << " " << status.error_message();
  return response;
}

v1::Summary SummarizeOne(const v1::SummarizeRequest& request) {
  const v1::SummarizeResponse response = Summarize(request);
  EXPECT_EQ(response.outcomes_size(), 1);
  if (response.outcomes_size() != 1) return {};
  EXPECT_TRUE(response.outcomes(0).has_summary())
      << response.outcomes(0).error().ShortDebugString();
  return response.outcomes(0).summary();
}

std::string ErrorSummary(const v1::SummarizeRequest& request) {
  grpc::ClientContext context;
  v1::SummarizeResponse response;
  return Summary(SummaryServer().summarization->Summarize(&context, request, &response));
}

std::vector<std::string> SentencesOf(const std::string& text, const v1::Summary& summary,
                                     v1::OffsetUnit unit = v1::OFFSET_UNIT_BYTE) {
  std::vector<std::string> sentences;
  for (const v1::ScoredSentence& sentence : summary.sentences())
    sentences.push_back(TextOf(text, sentence.span(), unit));
  return sentences;
}

TEST(SummarizeTest, EverySentenceIsScoredAndTheBestAreKeptInTextOrder) {
  v1::SummarizeRequest request = RequestOf({kText});
  request.mutable_config()->set_sentence_count(3);
  const v1::Summary summary = SummarizeOne(request);
  EXPECT_THAT(SentencesOf(kText, summary),
              ElementsAre("A Heading", "The cat sat on the mat.", "Dr. Smith saw it at 5 p.m. EST.",
                          "It was happy!", "My brother reads the question to the children.",
                          "- The old bridge is closed.", "- Nobody knows why."));
  std::set<uint32_t> ranks;
  float sum = 0;
  std::string kept;
  for (const v1::ScoredSentence& sentence : summary.sentences()) {
    EXPECT_GE(sentence.score(), 0);
    sum += sentence.score();
    ranks.insert(sentence.rank());
    if (sentence.selected()) kept += TextOf(kText, sentence.span(), v1::OFFSET_UNIT_BYTE);
  }
  EXPECT_NEAR(sum, 1, 1e-3);
  EXPECT_EQ(ranks, (std::set<uint32_t>{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(std::count_if(summary.sentences().begin(), summary.sentences().end(),
                          [](const v1::ScoredSentence& s) { return s.selected(); }),
            3);
  std::string text = summary.text();
  const auto drop_space = [](std::string* from) {
    from->erase(
        std::remove_if(from->begin(), from->end(), [](char c) { return c == ' ' || c == '\n'; }),
        from->end());
  };
  drop_space(&text);
  drop_space(&kept);
  EXPECT_EQ(text, kept);
  EXPECT_THAT(summary.model_revision(), StartsWith("models/tiny@"));
  EXPECT_NE(summary.text_kind(), v1::TEXT_KIND_UNSPECIFIED);
  EXPECT_EQ(summary.finish_reason(), v1::FINISH_REASON_UNSPECIFIED);
  EXPECT_EQ(summary.supports_size(), 0);
  EXPECT_FALSE(summary.has_sentence_attention());
}

TEST(SummarizeTest, BudgetsAreKept) {
  v1::SummarizeRequest request = RequestOf({kText});
  const auto num_kept = [&request] {
    const v1::Summary summary = SummarizeOne(request);
    return std::count_if(summary.sentences().begin(), summary.sentences().end(),
                         [](const v1::ScoredSentence& s) { return s.selected(); });
  };
  request.mutable_config()->set_sentence_count(100);
  EXPECT_EQ(num_kept(), 7);
  request.mutable_config()->set_sentence_ratio(1);
  EXPECT_EQ(num_kept(), 7);
  request.mutable_config()->set_sentence_ratio(0.01f);
  EXPECT_EQ(num_kept(), 1);
  request.mutable_config()->set_max_characters(60);
  uint32_t num_characters = 0;  // of the sentences, which are ASCII; not of what stands between
  const v1::Summary short_one = SummarizeOne(request);
  for (const v1::ScoredSentence& sentence : short_one.sentences())
    if (sentence.selected()) num_characters += sentence.span().end() - sentence.span().start();
  EXPECT_LE(num_characters, 60u);
  EXPECT_GE(num_kept(), 1);
  request.mutable_config()->set_max_characters(1);
  EXPECT_EQ(num_kept(), 0);
}

TEST(SummarizeTest, SentenceAttentionCountsTheSentences) {
  v1::SummarizeRequest request = RequestOf({kText});
  request.mutable_config()->set_include_sentence_attention(true);
  const v1::Summary summary = SummarizeOne(request);
  ASSERT_TRUE(summary.has_sentence_attention());
  EXPECT_EQ(summary.sentence_attention().row_count(), 7u);
  EXPECT_EQ(summary.sentence_attention().column_count(), 7u);
}

class SummaryOffsetUnitTest : public ::testing::TestWithParam<v1::OffsetUnit> {};

TEST_P(SummaryOffsetUnitTest, SpansCountInTheCallersUnit) {
  const std::string text = "\U0001F600 D\u00E9j\u00E0 vu. The cat sat.\nThe caf\u00E9 is closed.";
  v1::SummarizeRequest request = RequestOf({text});
  request.mutable_config()->set_offset_unit(GetParam());
  EXPECT_THAT(
      SentencesOf(text, SummarizeOne(request), GetParam()),
      ElementsAre("\U0001F600 D\u00E9j\u00E0 vu.", "The cat sat.", "The caf\u00E9 is closed."));
}

INSTANTIATE_TEST_SUITE_P(Units, SummaryOffsetUnitTest,
                         ::testing::Values(v1::OFFSET_UNIT_UNSPECIFIED, v1::OFFSET_UNIT_BYTE,
                                           v1::OFFSET_UNIT_UTF16, v1::OFFSET_UNIT_CODE_POINT));

TEST(SummarizeTest, ASentenceGoesOnOverTheMargin) {
  const std::string text =
      "The quick brown fox that we have met before jumps over the\nlazy dog of the house. It was\n"
      "not seen again by anybody.";
  EXPECT_THAT(SentencesOf(text, SummarizeOne(RequestOf({text}))),
              ElementsAre("The quick brown fox that we have met before jumps over the\n"
                          "lazy dog of the house.",
                          "It was\nnot seen again by anybody."));
}

TEST(SummarizeTest, TextsHaveOutcomesOfTheirOwn) {
  ServerOptions options = TinyOptions();
  options.limits.max_document_bytes = 1000;
  ServerUnderTest server(options);
  grpc::ClientContext context;
  v1::SummarizeResponse response;
  const v1::SummarizeRequest request = RequestOf({"", std::string(1001, 'a'), " \n", "Yes. No."});
  ASSERT_TRUE(server.summarization->Summarize(&context, request, &response).ok());
  ASSERT_EQ(response.outcomes_size(), 4);
  EXPECT_EQ(response.outcomes(0).summary().text(), "");
  EXPECT_EQ(Summary(ErrorOf(response.outcomes(1).error())),
            "INVALID_ARGUMENT INPUT_TOO_LONG texts[1]");
  EXPECT_EQ(response.outcomes(2).summary().sentences_size(), 0);
  EXPECT_EQ(response.outcomes(3).summary().sentences_size(), 2);
  EXPECT_EQ(server.MetricValue("attend_items_total",
                               {{"method", "Summarize"}, {"model", "tiny"}, {"outcome", "ok"}}),
            3);
  EXPECT_EQ(server.MetricValue(
                "attend_items_total",
                {{"method", "Summarize"}, {"model", "tiny"}, {"outcome", "INPUT_TOO_LONG"}}),
            1);
  EXPECT_EQ(
      server.MetricValue("attend_summaries_total", {{"model", "tiny"}, {"mode", "extractive"}}), 3);
  EXPECT_EQ(server.MetricValue("attend_summary_sentences_sum", {{"model", "tiny"}}), 2);
}

TEST(SummarizeTest, AnAnswerThatDoesNotFitIsAnErrorOfItsText) {
  ServerOptions options = TinyOptions();
  options.rpc.max_message_bytes = 20000;
  ServerUnderTest server(options);
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "Yes. ";
  grpc::ClientContext context;
  v1::SummarizeResponse response;
  ASSERT_TRUE(
      server.summarization->Summarize(&context, RequestOf({"Yes. No.", many, "No."}), &response)
          .ok());
  EXPECT_TRUE(response.outcomes(0).has_summary());
  EXPECT_EQ(Summary(ErrorOf(response.outcomes(1).error())),
            "INVALID_ARGUMENT RESPONSE_TOO_LARGE texts[1]");
  EXPECT_TRUE(response.outcomes(2).has_summary());
}

TEST(SummarizeTest, WhatIsWrongWithACallIsNamed) {
  EXPECT_EQ(ErrorSummary(RequestOf({})), "INVALID_ARGUMENT NO_ITEMS texts");
  EXPECT_EQ(ErrorSummary(RequestOf(std::vector<std::string>(65, "a"))),
            "INVALID_ARGUMENT TOO_MANY_ITEMS texts");
  v1::SummarizeRequest request = RequestOf({kText});
  v1::SummarizationConfig& config = *request.mutable_config();
  config.set_sentence_count(0);
  EXPECT_EQ(ErrorSummary(request), "INVALID_ARGUMENT OPTION_OUT_OF_RANGE config.sentence_count");
  config.set_sentence_ratio(1.5f);
  EXPECT_EQ(ErrorSummary(request), "INVALID_ARGUMENT OPTION_OUT_OF_RANGE config.sentence_ratio");
  config.clear_sentence_ratio();
  config.set_redundancy_penalty(-1);
  EXPECT_EQ(ErrorSummary(request),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE config.redundancy_penalty");
  config.clear_redundancy_penalty();
  config.mutable_decoding()->set_beam_size(2);
  EXPECT_EQ(ErrorSummary(request), "INVALID_ARGUMENT OPTION_NOT_APPLICABLE config.decoding");
  config.clear_decoding();
  config.set_language_code("!");
  EXPECT_EQ(ErrorSummary(request), "INVALID_ARGUMENT LANGUAGE_CODE_INVALID config.language_code");
  config.clear_language_code();
  config.set_model("models/none");
  EXPECT_THAT(ErrorSummary(request), StartsWith("NOT_FOUND MODEL_NOT_FOUND"));
  config.set_model("tiny");
  config.set_mode(v1::SUMMARY_MODE_ABSTRACTIVE);
  EXPECT_THAT(ErrorSummary(request), StartsWith("FAILED_PRECONDITION CAPABILITY_MISSING"));
}

TEST(SummarizeTest, ModelsSayWhatTheyCan) {
  const auto tasks_of = [](const std::string& name) {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_name("models/" + name);
    v1::GetModelResponse response;
    EXPECT_TRUE(SummaryServer().models->GetModel(&context, request, &response).ok());
    const auto& tasks = response.model().tasks();
    return std::vector<int>(tasks.begin(), tasks.end());
  };
  EXPECT_THAT(tasks_of("tiny"), Contains(v1::MODEL_TASK_SENTENCE_SCORING));
  EXPECT_THAT(tasks_of("tiny"), Not(Contains(v1::MODEL_TASK_SUMMARIZATION)));
  EXPECT_THAT(tasks_of("bart"), Contains(v1::MODEL_TASK_SUMMARIZATION));
}

TEST(SummarizeTest, WithoutAModelTheServerChoosesOneForTheMode) {
  v1::SummarizeRequest request = AbstractiveRequestOf({kText});
  const std::string expected = SummarizeOne(request).text();
  request.mutable_config()->clear_model();
  const v1::Summary written = SummarizeOne(request);
  EXPECT_EQ(written.text(), expected);
  EXPECT_THAT(written.model_revision(), StartsWith("models/bart@"));
  request = RequestOf({kText});
  request.mutable_config()->clear_model();
  EXPECT_EQ(SummarizeOne(request).sentences_size(), 7);
}

TEST(SummarizeTest, AWrittenSentenceNamesTheSentencesItLeanedOn) {
  const v1::Summary summary = SummarizeOne(AbstractiveRequestOf({kText}));
  EXPECT_FALSE(summary.text().empty());
  EXPECT_NE(summary.finish_reason(), v1::FINISH_REASON_UNSPECIFIED);
  EXPECT_EQ(summary.text_kind(), v1::TEXT_KIND_UNSPECIFIED);
  ASSERT_GE(summary.sentences_size(), 7);
  ASSERT_GT(summary.supports_size(), 0);
  for (const v1::SentenceSupport& support : summary.supports()) {
    EXPECT_LT(support.summary().start(), support.summary().end());
    EXPECT_LE(support.summary().end(), summary.text().size());
    ASSERT_GT(support.sentence_indices_size(), 0);
    ASSERT_EQ(support.sentence_indices_size(), support.weights_size());
    for (const uint32_t index : support.sentence_indices())
      EXPECT_LT(index, static_cast<uint32_t>(summary.sentences_size()));
    EXPECT_TRUE(std::is_sorted(support.weights().rbegin(), support.weights().rend()));
    EXPECT_LE(std::accumulate(support.weights().begin(), support.weights().end(), 0.0f), 1.001f);
  }
}

struct Streamed {
  std::string deltas;
  v1::StreamSummarizeResult result;
  bool result_is_last = false;
  grpc::Status status;
};

Streamed Stream(const v1::SummarizeRequest& request) {
  v1::StreamSummarizeRequest stream_request;
  *stream_request.mutable_config() = request.config();
  stream_request.set_text(request.texts(0));
  grpc::ClientContext context;
  auto reader = SummaryServer().summarization->StreamSummarize(&context, stream_request);
  Streamed out;
  for (v1::StreamSummarizeResponse response; reader->Read(&response);) {
    out.result_is_last = response.has_result();
    if (response.has_delta()) {
      out.deltas += response.delta().text();
    } else {
      out.result = response.result();
    }
  }
  out.status = reader->Finish();
  return out;
}

TEST(StreamSummarizeTest, DeltasJoinToTheTextAndTheResultEqualsUnary) {
  for (const uint32_t beams : {1u, 3u}) {
    v1::SummarizeRequest request = AbstractiveRequestOf({kText});
    request.mutable_config()->mutable_decoding()->set_beam_size(beams);
    const Streamed streamed = Stream(request);
    ASSERT_TRUE(streamed.status.ok()) << Summary(streamed.status);
    EXPECT_TRUE(streamed.result_is_last);
    EXPECT_EQ(streamed.deltas, streamed.result.summary().text());
    EXPECT_EQ(streamed.result.summary().SerializeAsString(),
              SummarizeOne(request).SerializeAsString());
    EXPECT_GT(streamed.result.usage().output_tokens(), 0u);
  }
}

TEST(StreamSummarizeTest, APickedSummaryComesAtOnce) {
  const v1::SummarizeRequest request = RequestOf({kText});
  const Streamed streamed = Stream(request);
  ASSERT_TRUE(streamed.status.ok()) << Summary(streamed.status);
  EXPECT_EQ(streamed.deltas, "");
  EXPECT_TRUE(streamed.result_is_last);
  EXPECT_EQ(streamed.result.summary().SerializeAsString(),
            SummarizeOne(request).SerializeAsString());
}

TEST(StreamSummarizeTest, ErrorsNameTheText) {
  v1::SummarizeRequest request = RequestOf({std::string((2 << 20) + 1, 'a')});
  EXPECT_EQ(Summary(Stream(request).status), "INVALID_ARGUMENT INPUT_TOO_LONG text");
}

TEST(SummarizeTest, SameBitsAloneAndAmongOthers) {
  const std::vector<v1::SummarizeRequest> requests = {
      RequestOf({kText}), RequestOf({"Yes. No. The cat sat on the mat."}),
      AbstractiveRequestOf({kText}), AbstractiveRequestOf({"The old bridge is closed."})};
  std::vector<std::string> alone;
  for (const v1::SummarizeRequest& request : requests)
    alone.push_back(SummarizeOne(request).SerializeAsString());
  std::vector<std::thread> callers;
  std::atomic<int> different{0};
  for (size_t caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      for (size_t i = 0; i < 4; ++i) {
        const size_t which = (caller + i) % requests.size();
        if (SummarizeOne(requests[which]).SerializeAsString() != alone[which]) ++different;
      }
    });
  }
  for (std::thread& thread : callers) thread.join();
  EXPECT_EQ(different, 0);
}

}  // namespace
}  // namespace attend::server
