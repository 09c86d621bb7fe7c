// Limits as a client meets them: what is above each, in whose words, and that what is at the limit
// is served.
#include <chrono>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

TEST(CompressionTest, CompressedRequestsAreRefused) {
  // Sixty million bytes that travel as sixty thousand: the limit of a message would not see them.
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    v1::TranslateResponse response;
    const grpc::Status status = SharedServer().translation->Translate(
        &context, TranslateOf({std::string(60'000'000, 'a')}), &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
  }
}

TEST(ResponseSizeTest, OnlyTheTextWhoseAnswerDoesNotFitFails) {
  ServerOptions options = TinyOptions();
  options.rpc.max_message_bytes = 8 << 10;
  ServerUnderTest server(options);
  std::string long_text;
  for (int i = 0; i < 60; ++i) long_text += "The cat sat on the mat. ";
  v1::TranslateRequest request = TranslateOf({"Yes.", long_text, "The cat sat on the mat."});
  request.mutable_config()->set_include_tokens(true);
  grpc::ClientContext context;
  v1::TranslateResponse response;
  ASSERT_TRUE(server.translation->Translate(&context, request, &response).ok());
  ASSERT_EQ(response.outcomes_size(), 3);
  EXPECT_TRUE(response.outcomes(0).has_translation());
  EXPECT_TRUE(response.outcomes(2).has_translation());
  const CallError error = ErrorOf(response.outcomes(1).error());
  EXPECT_EQ(Summary(error), "INVALID_ARGUMENT RESPONSE_TOO_LARGE texts[1]");
  EXPECT_EQ(error.metadata.at("limit"), "8192");
  const auto items = [&](const std::string& outcome) {
    return server.MetricValue("attend_items_total",
                              {{"method", "Translate"}, {"model", "tiny"}, {"outcome", outcome}});
  };
  EXPECT_EQ(items("ok"), 2);
  EXPECT_EQ(items("RESPONSE_TOO_LARGE"), 1);

  v1::StreamTranslateRequest stream;
  *stream.mutable_config() = request.config();
  stream.set_text(long_text);
  grpc::ClientContext stream_context;
  auto reader = server.translation->StreamTranslate(&stream_context, stream);
  for (v1::StreamTranslateResponse part; reader->Read(&part);) EXPECT_TRUE(part.has_delta());
  EXPECT_EQ(Summary(reader->Finish()), "INVALID_ARGUMENT RESPONSE_TOO_LARGE");

  v1::TokenizeRequest tokenize;
  tokenize.set_model("tiny");
  tokenize.set_text(long_text);
  grpc::ClientContext tokenize_context;
  v1::TokenizeResponse tokens;
  EXPECT_EQ(Summary(server.tokenization->Tokenize(&tokenize_context, tokenize, &tokens)),
            "INVALID_ARGUMENT RESPONSE_TOO_LARGE");
}

TEST(DetokenizeTest, TheNumberOfIdsIsLimited) {
  ServerOptions options = TinyOptions();
  options.limits.max_text_bytes = 100;
  ServerUnderTest server(options);
  v1::DetokenizeRequest request;
  request.set_model("tiny");
  for (int i = 0; i < 100; ++i) request.add_ids(202);
  v1::DetokenizeResponse response;
  grpc::ClientContext at_limit, above;
  EXPECT_TRUE(server.tokenization->Detokenize(&at_limit, request, &response).ok());
  request.add_ids(202);
  EXPECT_EQ(Summary(server.tokenization->Detokenize(&above, request, &response)),
            "INVALID_ARGUMENT INPUT_TOO_LONG ids");
}

TEST(SegmentsTest, AsManyAsTheLimitAndNoMore) {
  const auto outcome_of = [](ServerUnderTest& server, int sentences) {
    std::string text;
    for (int i = 0; i < sentences; ++i) text += "Yes. ";
    v1::TranslateRequest request = TranslateOf({text});
    request.mutable_config()->mutable_decoding()->set_beam_size(1);
    request.mutable_config()->mutable_decoding()->set_max_output_tokens(1);
    grpc::ClientContext context;
    v1::TranslateResponse response;
    EXPECT_TRUE(server.translation->Translate(&context, request, &response).ok());
    return response.outcomes(0);
  };
  const v1::TranslateOutcome at_limit = outcome_of(SharedServer(), 2048);
  EXPECT_EQ(at_limit.translation().sentences_size(), 2048) << at_limit.error().message();
  const CallError error = ErrorOf(outcome_of(SharedServer(), 2049).error());
  EXPECT_EQ(Summary(error), "INVALID_ARGUMENT INPUT_TOO_LONG texts[0]");
  EXPECT_EQ(error.metadata.at("limit"), "2048");
  EXPECT_EQ(error.metadata.count("segments"), 1u);
}

TEST(MemoryBudgetTest, ATextThatCanNeverFitIsRefusedOnceAndOthersAreNot) {
  ServerOptions options = TinyOptions();
  options.scheduler.max_batch_rows = 4;
  ServerUnderTest server(options);
  // The last text fails for another reason, which does not hide the first.
  v1::TranslateRequest request =
      TranslateOf({"The cat sat.", "Yes.", std::string(256 * 1024 + 1, 'a')});
  request.mutable_config()->mutable_decoding()->set_beam_size(8);
  grpc::ClientContext context;
  v1::TranslateResponse response;
  ASSERT_TRUE(server.translation->Translate(&context, request, &response).ok());
  ASSERT_EQ(response.outcomes_size(), 3);
  for (int i = 0; i < 2; ++i) {
    const CallError error = ErrorOf(response.outcomes(i).error());
    EXPECT_EQ(Summary(error), "RESOURCE_EXHAUSTED MEMORY_BUDGET");
    EXPECT_EQ(error.metadata.at("need_rows"), "8");
    EXPECT_EQ(error.metadata.at("have_rows"), "4");
    EXPECT_FALSE(error.has_retry) << "it will never fit";
  }
  const auto refused = [&] {
    return server.MetricValue("attend_refused_total", {{"model", "tiny"}, {"reason", "memory"}});
  };
  EXPECT_EQ(refused(), 1) << "calls are counted, not texts";
  v1::StreamTranslateRequest stream;
  *stream.mutable_config() = request.config();
  stream.set_text("Yes.");
  grpc::ClientContext stream_context;
  auto reader = server.translation->StreamTranslate(&stream_context, stream);
  v1::StreamTranslateResponse part;
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(Summary(reader->Finish()), "RESOURCE_EXHAUSTED MEMORY_BUDGET");
  EXPECT_EQ(refused(), 2);
  request.mutable_config()->mutable_decoding()->set_beam_size(4);
  grpc::ClientContext fits;
  ASSERT_TRUE(server.translation->Translate(&fits, request, &response).ok());
  EXPECT_TRUE(response.outcomes(0).has_translation());
}

std::string Trailer(const grpc::ClientContext& context, const std::string& key) {
  const auto [begin, end] = context.GetServerTrailingMetadata().equal_range(key);
  if (begin == end) return "(none)";
  EXPECT_EQ(std::distance(begin, end), 1) << key;
  return std::string(begin->second.data(), begin->second.size());
}

TEST(MetadataTest, RequestIdsAreReturnedOrMade) {
  const auto id_for = [](const char* sent) {
    grpc::ClientContext context;
    if (sent != nullptr) context.AddMetadata("x-request-id", sent);
    v1::ListModelsResponse response;
    EXPECT_TRUE(
        SharedServer().models->ListModels(&context, v1::ListModelsRequest(), &response).ok());
    const auto first = context.GetServerInitialMetadata().find("x-request-id");
    EXPECT_NE(first, context.GetServerInitialMetadata().end());
    const std::string id = Trailer(context, "x-request-id");
    if (first != context.GetServerInitialMetadata().end()) {
      EXPECT_EQ(std::string(first->second.data(), first->second.size()), id);
    }
    return id;
  };
  EXPECT_EQ(id_for("abc-123"), "abc-123");
  const std::string longest(128, 'x');
  EXPECT_EQ(id_for(longest.c_str()), longest);
  for (const std::string& odd : {std::string(), std::string("two words"), std::string(129, 'x')}) {
    EXPECT_THAT(id_for(odd.c_str()), ::testing::MatchesRegex("[0-9a-f]{16}")) << odd;
  }
  const std::string made = id_for(nullptr);
  EXPECT_THAT(made, ::testing::MatchesRegex("[0-9a-f]{16}"));
  EXPECT_NE(id_for(nullptr), made);
}

TEST(MetadataTest, TrailersSayWhereTimeWent) {
  grpc::ClientContext context;
  v1::TranslateResponse response;
  v1::TranslateRequest request = TranslateOf({"The cat sat on the mat."});
  request.mutable_config()->mutable_decoding()->set_beam_size(8);
  request.mutable_config()->mutable_decoding()->set_min_output_tokens(60);
  ASSERT_TRUE(SharedServer().translation->Translate(&context, request, &response).ok());
  const auto milliseconds = [](const google::protobuf::Duration& duration) {
    return static_cast<double>(duration.seconds()) * 1e3 + duration.nanos() / 1e6;
  };
  const v1::Usage& usage = response.usage();
  double queue = -1, compute = -1;
  ASSERT_TRUE(absl::SimpleAtod(Trailer(context, "attend-queue-ms"), &queue));
  ASSERT_TRUE(absl::SimpleAtod(Trailer(context, "attend-compute-ms"), &compute));
  EXPECT_NEAR(queue, milliseconds(usage.queue_duration()), 1);
  EXPECT_NEAR(compute,
              milliseconds(usage.encode_duration()) + milliseconds(usage.decode_duration()), 2);
  EXPECT_GT(milliseconds(usage.decode_duration()), 0);

  grpc::ClientContext wrong;
  EXPECT_FALSE(
      SharedServer().translation->Translate(&wrong, v1::TranslateRequest(), &response).ok());
  EXPECT_EQ(Trailer(wrong, "attend-queue-ms"), "0");
  EXPECT_EQ(Trailer(wrong, "attend-compute-ms"), "0");
}

}  // namespace
}  // namespace attend::server
