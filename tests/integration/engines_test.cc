// A model served by several engines and threads answers as with one of each.
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

ServerOptions Shaped(int engines, int threads) {
  ServerOptions options = TinyOptions();
  options.scheduler.num_engines = engines;
  options.scheduler.num_threads = threads;
  return options;
}

// Twenty sentences, which spread over the engines.
v1::TranslateRequest LongRequest(bool sampling) {
  std::string text;
  for (int i = 0; i < 5; ++i)
    text +=
        "The cat sat on the mat. Where is the old bridge? Yes, we said twice. My brother reads. ";
  v1::TranslateRequest request = TranslateOf({text, "Yes."});
  request.mutable_config()->set_include_tokens(true);
  request.mutable_config()->set_include_word_links(true);
  v1::DecodingOptions* decoding = request.mutable_config()->mutable_decoding();
  decoding->set_beam_size(sampling ? 1 : 4);
  if (sampling) {
    decoding->mutable_sampling()->set_temperature(1);
    decoding->mutable_sampling()->set_seed(7);
  }
  return request;
}

std::vector<std::string> Answers(ServerUnderTest* server, const v1::TranslateRequest& request) {
  grpc::ClientContext context;
  v1::TranslateResponse response;
  const grpc::Status status = server->translation->Translate(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Summary(status) << " " << status.error_message();
  std::vector<std::string> out;
  for (const v1::TranslateOutcome& outcome : response.outcomes()) {
    EXPECT_TRUE(outcome.has_translation()) << outcome.error().ShortDebugString();
    out.push_back(outcome.translation().SerializeAsString());
  }
  return out;
}

// The deltas put together, after checking them against the result.
std::string StreamedText(ServerUnderTest* server, const v1::TranslateRequest& request) {
  v1::StreamTranslateRequest stream_request;
  *stream_request.mutable_config() = request.config();
  stream_request.set_text(request.texts(0));
  grpc::ClientContext context;
  auto reader = server->translation->StreamTranslate(&context, stream_request);
  std::string deltas, result;
  for (v1::StreamTranslateResponse response; reader->Read(&response);) {
    deltas += response.delta().text();
    if (response.has_result()) result = response.result().translation().text();
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(deltas, result);
  return deltas;
}

TEST(EnginesTest, AnyNumberOfEnginesAndThreadsGivesTheSameBits) {
  std::vector<std::vector<std::string>> expected;
  std::string expected_text;
  for (const auto& [engines, threads] : {std::pair<int, int>{1, 1}, {1, 2}, {2, 1}, {3, 2}}) {
    SCOPED_TRACE(testing::Message() << engines << " engines, " << threads << " threads");
    ServerUnderTest server(Shaped(engines, threads));
    std::vector<std::vector<std::string>> answers;
    for (const bool sampling : {false, true})
      answers.push_back(Answers(&server, LongRequest(sampling)));
    const std::string text = StreamedText(&server, LongRequest(false));
    EXPECT_FALSE(text.empty());
    if (expected.empty()) {
      expected = answers;
      expected_text = text;
    }
    EXPECT_EQ(answers, expected);
    EXPECT_EQ(text, expected_text);
    EXPECT_EQ(server.MetricValue("attend_workers", {{"pool", "engine_loop"}}), engines);
  }
}

TEST(EnginesTest, CallersBesideEachOtherGetTheirOwnAnswersAndMemoryComesBack) {
  ServerUnderTest server(Shaped(2, 2));
  const std::vector<std::string> expected = Answers(&server, LongRequest(false));
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&] { EXPECT_EQ(Answers(&server, LongRequest(false)), expected); });
  }
  for (std::thread& caller : callers) caller.join();
  for (const char* gauge :
       {"attend_kv_cache_bytes", "attend_active_sequences", "attend_queue_tokens"}) {
    EXPECT_TRUE(server.WaitForMetric(gauge, {{"model", "tiny"}}, 0)) << gauge;
  }
}

}  // namespace
}  // namespace attend::server
