// Translate and StreamTranslate as a client sees them: equal to transformers, units of spans, what
// is returned when, streaming equal to unary, and the same bits whoever else is calling.
#include <fstream>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using ::testing::StartsWith;

v1::Translation TranslateOne(const v1::TranslateRequest& request) {
  grpc::ClientContext context;
  v1::TranslateResponse response;
  const grpc::Status status = SharedServer().translation->Translate(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Summary(status) << " " << status.error_message();
  EXPECT_EQ(response.outcomes_size(), 1);
  if (response.outcomes_size() != 1) return {};
  EXPECT_TRUE(response.outcomes(0).has_translation())
      << response.outcomes(0).error().ShortDebugString();
  return response.outcomes(0).translation();
}

TEST(TranslateTest, GreedyTextIsThatOfTransformers) {
  std::ifstream file(ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/generate.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  int compared = 0;
  for (const auto& expected : golden["cases"]) {
    if (expected["name"] != "greedy") continue;
    for (const auto& result : expected["results"]) {
      if (!result["stable"].get<bool>()) continue;
      const std::string text = golden["inputs"][result["input"].get<size_t>()]["text"];
      v1::TranslateRequest request = TranslateOf({text});
      request.mutable_config()->mutable_decoding()->set_beam_size(1);
      request.mutable_config()->mutable_decoding()->set_max_output_tokens(
          27);  // max_length 28, start token counted
      const v1::Translation translation = TranslateOne(request);
      if (translation.sentences_size() != 1) continue;  // we split sentences, generate() does not
      EXPECT_EQ(translation.text(), result["text"][0].get<std::string>()) << text;
      ++compared;
    }
  }
  EXPECT_GE(compared, 2);
}

TEST(TranslateTest, ManyTextsKeepTheirOrderAndBlankOnesAreFine) {
  grpc::ClientContext context;
  v1::TranslateResponse response;
  const v1::TranslateRequest request =
      TranslateOf({"The cat sat on the mat.", "", "   \n", "Yes."});
  ASSERT_TRUE(SharedServer().translation->Translate(&context, request, &response).ok());
  ASSERT_EQ(response.outcomes_size(), 4);
  EXPECT_FALSE(response.outcomes(0).translation().text().empty());
  EXPECT_EQ(response.outcomes(1).translation().text(), "");
  EXPECT_EQ(response.outcomes(2).translation().sentences_size(), 0);
  EXPECT_THAT(response.outcomes(3).translation().model_revision(), StartsWith("models/tiny@"));
  EXPECT_GT(response.usage().input_tokens(), 0u);
  EXPECT_GT(response.usage().output_tokens(), 0u);
  EXPECT_GT(response.usage().total_duration().nanos(), 0);
}

TEST(TranslateTest, FindsTheModelByLanguagesAndAcceptsShortNames) {
  v1::TranslateRequest request = TranslateOf({"Yes."});
  const std::string expected = TranslateOne(request).text();
  request.mutable_config()->set_model("tiny");
  EXPECT_EQ(TranslateOne(request).text(), expected);
  request.mutable_config()->clear_model();
  request.mutable_config()->set_source_language_code("EN");
  request.mutable_config()->set_target_language_code("fra_Latn");
  EXPECT_EQ(TranslateOne(request).text(), expected);
}

TEST(TranslateTest, ReturnsWhatIsAskedForAndNothingElse) {
  v1::TranslateRequest request = TranslateOf({"The cat sat on the mat."});
  const v1::Translation plain = TranslateOne(request);
  ASSERT_EQ(plain.hypotheses_size(), 1);
  EXPECT_EQ(plain.hypotheses(0).tokens_size(), 0);
  EXPECT_EQ(plain.links_size() + plain.source_words_size() + plain.attentions_size(), 0);

  v1::TranslationConfig& config = *request.mutable_config();
  config.mutable_decoding()->set_beam_size(4);
  config.mutable_decoding()->set_hypothesis_count(3);
  config.set_include_tokens(true);
  config.set_include_word_links(true);
  config.mutable_attention()->add_kinds(v1::ATTENTION_KIND_CROSS);
  const v1::Translation full = TranslateOne(request);
  ASSERT_EQ(full.hypotheses_size(), 3);
  EXPECT_EQ(full.hypotheses(0).text(), full.text());
  EXPECT_GE(full.hypotheses(0).score(), full.hypotheses(1).score());
  EXPECT_GE(full.hypotheses(1).score(), full.hypotheses(2).score());
  ASSERT_GT(full.hypotheses(0).tokens_size(), 0);
  EXPECT_LE(full.hypotheses(0).tokens(0).log_prob(), 0.0f);
  EXPECT_EQ(full.source_words(1).text(), "cat");
  ASSERT_GT(full.links_size(), 0);
  for (const v1::WordLink& link : full.links()) {
    EXPECT_LT(link.source_word(), static_cast<uint32_t>(full.source_words_size()));
    EXPECT_LT(link.target_word(), static_cast<uint32_t>(full.target_words_size()));
  }
  ASSERT_EQ(full.attentions_size(), 1);
  EXPECT_EQ(full.attentions(0).matrices(0).row_count(),
            static_cast<uint32_t>(full.attentions(0).target_tokens_size()));
}

class OffsetUnitTest : public ::testing::TestWithParam<v1::OffsetUnit> {};

TEST_P(OffsetUnitTest, SpansCountInTheCallersUnit) {
  const std::string text =
      "😀 The café's owner 👩‍🚀 said: déjà vu. The cat sat on the mat.";
  v1::TranslateRequest request = TranslateOf({text});
  request.mutable_config()->set_offset_unit(GetParam());
  request.mutable_config()->set_include_word_links(true);
  request.mutable_config()->set_include_tokens(true);
  const v1::Translation translation = TranslateOne(request);
  ASSERT_EQ(translation.sentences_size(), 2);
  EXPECT_EQ(TextOf(text, translation.sentences(1).source(), GetParam()), "The cat sat on the mat.");
  ASSERT_GT(translation.source_words_size(), 8);
  for (const v1::Word& word : translation.source_words())
    EXPECT_EQ(TextOf(text, word.span(), GetParam()), word.text());
  for (const v1::Word& word : translation.target_words()) {
    EXPECT_EQ(TextOf(translation.text(), word.span(), GetParam()), word.text());
  }
  std::string joined;
  for (const v1::Token& token : translation.hypotheses(0).tokens()) {
    if (!token.special()) joined += TextOf(translation.text(), token.span(), GetParam());
  }
  EXPECT_EQ(joined.find("(no span)"), std::string::npos) << joined;
}

INSTANTIATE_TEST_SUITE_P(Units, OffsetUnitTest,
                         ::testing::Values(v1::OFFSET_UNIT_UNSPECIFIED, v1::OFFSET_UNIT_BYTE,
                                           v1::OFFSET_UNIT_UTF16, v1::OFFSET_UNIT_CODE_POINT));

struct Streamed {
  std::string deltas;
  int num_deltas = 0;
  v1::StreamTranslateResult result;
  bool result_is_last = false;
  grpc::Status status;
};

Streamed Stream(const v1::TranslateRequest& request) {
  v1::StreamTranslateRequest stream_request;
  *stream_request.mutable_config() = request.config();
  stream_request.set_text(request.texts(0));
  grpc::ClientContext context;
  auto reader = SharedServer().translation->StreamTranslate(&context, stream_request);
  Streamed out;
  for (v1::StreamTranslateResponse response; reader->Read(&response);) {
    out.result_is_last = response.has_result();
    if (response.has_delta()) {
      out.deltas += response.delta().text();
      ++out.num_deltas;
    } else {
      out.result = response.result();
    }
  }
  out.status = reader->Finish();
  return out;
}

TEST(StreamTranslateTest, DeltasJoinToTheTextAndTheResultEqualsUnary) {
  for (const uint32_t beams : {1u, 4u}) {
    v1::TranslateRequest request =
        TranslateOf({"The cat sat on the mat. Where is the old bridge? Yes, we said twice."});
    request.mutable_config()->mutable_decoding()->set_beam_size(beams);
    request.mutable_config()->set_include_tokens(true);
    const Streamed streamed = Stream(request);
    ASSERT_TRUE(streamed.status.ok()) << Summary(streamed.status);
    EXPECT_TRUE(streamed.result_is_last);
    EXPECT_GE(streamed.num_deltas, 1);  // deltas that the writer could not keep up with are joined
    EXPECT_EQ(streamed.deltas, streamed.result.translation().text());
    EXPECT_EQ(streamed.result.translation().SerializeAsString(),
              TranslateOne(request).SerializeAsString());
  }
}

TEST(StreamTranslateTest, BlankTextGivesAnEmptyResult) {
  const Streamed streamed = Stream(TranslateOf({" "}));
  ASSERT_TRUE(streamed.status.ok()) << Summary(streamed.status);
  EXPECT_TRUE(streamed.result_is_last);
  EXPECT_EQ(streamed.result.translation().text(), "");
}

TEST(ConcurrencyTest, SameBitsAloneAndAmongOthers) {
  const std::vector<std::string> texts = {"The cat sat on the mat.", "Where is the old bridge?",
                                          "Yes.", "My brother reads the question to the children."};
  std::vector<std::string> alone;
  for (const std::string& text : texts) {
    v1::TranslateRequest request = TranslateOf({text});
    request.mutable_config()->set_include_tokens(true);
    alone.push_back(TranslateOne(request).SerializeAsString());
  }
  std::vector<std::thread> callers;
  std::atomic<int> different{0};
  for (size_t caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      auto stub = v1::TranslationService::NewStub(SharedServer().NewChannel());
      for (size_t round = 0; round < 4; ++round) {
        const size_t i = (caller + round) % texts.size();
        v1::TranslateRequest request = TranslateOf({texts[i]});
        request.mutable_config()->set_include_tokens(true);
        grpc::ClientContext context;
        v1::TranslateResponse response;
        const grpc::Status status = stub->Translate(&context, request, &response);
        if (!status.ok() || response.outcomes(0).translation().SerializeAsString() != alone[i])
          ++different;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(different, 0);
}

TEST(MetadataTest, RequestIdComesBackAndTimesAreTold) {
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "my-request-1");
  v1::TranslateResponse response;
  ASSERT_TRUE(
      SharedServer().translation->Translate(&context, TranslateOf({"Yes."}), &response).ok());
  EXPECT_EQ(context.GetServerInitialMetadata().find("x-request-id")->second, "my-request-1");
  EXPECT_EQ(context.GetServerTrailingMetadata().find("x-request-id")->second, "my-request-1");
  EXPECT_EQ(context.GetServerTrailingMetadata().count("attend-queue-ms"), 1u);
  EXPECT_EQ(context.GetServerTrailingMetadata().count("attend-compute-ms"), 1u);

  grpc::ClientContext unnamed;
  v1::TranslateRequest wrong;
  EXPECT_FALSE(SharedServer().translation->Translate(&unnamed, wrong, &response).ok());
  ASSERT_EQ(unnamed.GetServerTrailingMetadata().count("x-request-id"), 1u);
  EXPECT_EQ(unnamed.GetServerTrailingMetadata().find("x-request-id")->second.size(), 16u);
  EXPECT_EQ(unnamed.GetServerTrailingMetadata().count("attend-queue-ms"), 1u);
}

}  // namespace
}  // namespace attend::server
