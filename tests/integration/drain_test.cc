// Ending in order: health first, running calls get their time, new ones are refused in words that
// say to go elsewhere.
#include <chrono>
#include <thread>

#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
namespace health = grpc::health::v1;

v1::TranslateRequest WorkFor(int sentences) {
  std::string text;
  for (int i = 0; i < sentences; ++i) text += "The cat sat on the mat and my brother reads. ";
  v1::TranslateRequest request = TranslateOf({text});
  request.mutable_config()->mutable_decoding()->set_beam_size(8);
  request.mutable_config()->mutable_decoding()->set_min_output_tokens(60);
  request.mutable_config()->mutable_decoding()->set_max_output_tokens(90);
  return request;
}

// Calls until one is refused, which must be in these words.
template <typename Call>
void ExpectRefused(Call call) {
  for (;;) {  // ends, because the delay does
    grpc::ClientContext context;
    const grpc::Status status = call(&context);
    if (status.ok()) continue;
    const CallError error = ErrorOf(status);
    EXPECT_EQ(Summary(error), "UNAVAILABLE SHUTTING_DOWN");
    EXPECT_TRUE(error.has_retry);
    return;
  }
}

TEST(DrainTest, WithinTheDelayTheServerIsUnhealthyButServes) {
  ServerOptions options = TinyOptions();
  options.drain_delay = absl::Seconds(3);
  ServerUnderTest server(options);
  std::thread drain([&] { server.server().Drain(); });
  EXPECT_TRUE(server.WaitForMetric("attend_ready", {}, 0));
  grpc::ClientContext check, call;
  health::HealthCheckResponse state;
  EXPECT_TRUE(server.health->Check(&check, health::HealthCheckRequest(), &state).ok());
  EXPECT_EQ(state.status(), health::HealthCheckResponse::NOT_SERVING);
  int http = 0;
  HttpGet(server.server().metrics_port(), "/readyz", &http);
  EXPECT_EQ(http, 503);
  v1::TranslateResponse response;
  EXPECT_TRUE(server.translation->Translate(&call, TranslateOf({"Yes."}), &response).ok());
  drain.join();
}

// The running call is a stream that the test does not read: it runs for exactly as long as the test
// wants, whatever the machine does.
TEST(DrainTest, RunningCallsEndAndNewOnesAreRefused) {
  ServerOptions options = TinyOptions();
  options.drain_timeout = absl::Seconds(60);
  ServerUnderTest server(options);
  auto narrow = NarrowAttentionStub(server.address());
  grpc::ClientContext context;
  auto reader = narrow->StreamAttention(&context, LargeAttentionStream());
  v1::StreamAttentionResponse part;
  ASSERT_TRUE(reader->Read(&part));
  // A watch of health never ends; nobody waits for it.
  grpc::ClientContext watch_context;
  auto watch = server.health->Watch(&watch_context, health::HealthCheckRequest());
  health::HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));

  std::thread drain([&] { server.server().Drain(); });
  ExpectRefused([&](grpc::ClientContext* call) {
    v1::TranslateResponse response;
    return server.translation->Translate(call, TranslateOf({"Yes."}), &response);
  });
  ExpectRefused([&](grpc::ClientContext* call) {
    v1::ListModelsResponse response;
    return server.models->ListModels(call, v1::ListModelsRequest(), &response);
  });
  EXPECT_GE(
      server.MetricValue("attend_refused_total", {{"model", ""}, {"reason", "shutting_down"}}), 1);
  // Longer than answers get after the timeout: it is the timeout that counts.
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  bool complete = false;
  while (reader->Read(&part)) complete = part.has_usage();
  const grpc::Status status = reader->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(complete);
  drain.join();
  EXPECT_EQ(server.MetricValue("attend_model_state", {{"model", "tiny"}, {"state", "draining"}}),
            1);
}

TEST(DrainTest, AStreamThatIsNotReadIsCutWhenTheTimeIsOver) {
  ServerOptions options = TinyOptions();
  options.drain_timeout = absl::Milliseconds(100);
  ServerUnderTest server(options);
  auto narrow = NarrowAttentionStub(server.address());
  grpc::ClientContext context;
  auto reader = narrow->StreamAttention(&context, LargeAttentionStream());
  v1::StreamAttentionResponse part;
  ASSERT_TRUE(reader->Read(&part));
  server.server().Drain();  // returns, although nobody reads
  bool complete = false;
  while (reader->Read(&part)) complete = part.has_usage();
  EXPECT_FALSE(complete);
  EXPECT_FALSE(reader->Finish().ok());
}

TEST(DrainTest, WhatDoesNotEndInTimeIsCancelled) {
  ServerOptions options = TinyOptions();
  options.drain_timeout = absl::Milliseconds(100);
  ServerUnderTest server(options);
  std::string summary;
  std::thread caller([&] {
    grpc::ClientContext context;
    v1::TranslateRequest request = WorkFor(400);
    for (int i = 0; i < 20; ++i) request.add_texts(request.texts(0));
    v1::TranslateResponse response;
    summary = Summary(server.translation->Translate(&context, request, &response));
  });
  EXPECT_TRUE(server.WaitForMetric("attend_requests_in_flight", {{"method", "Translate"}}, 1));
  const auto start = std::chrono::steady_clock::now();
  server.server().Drain();  // the work would take minutes
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  caller.join();
  EXPECT_EQ(summary, "UNAVAILABLE SHUTTING_DOWN");
}

TEST(DrainTest, LoadingModelsAreUnavailableNotMissing) {
  // Between Start and the end of loading a call may find the model loading; it must never find it
  // missing.
  Server server(TinyOptions());
  ASSERT_TRUE(server.Start().ok());
  auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(server.grpc_port()),
                                     grpc::InsecureChannelCredentials());
  auto stub = v1::TranslationService::NewStub(channel);
  for (;;) {
    grpc::ClientContext context;
    v1::TranslateResponse response;
    const grpc::Status status = stub->Translate(&context, TranslateOf({"Yes."}), &response);
    if (status.ok()) break;
    const CallError error = ErrorOf(status);
    ASSERT_EQ(Summary(error), "UNAVAILABLE MODEL_LOADING");
    EXPECT_TRUE(error.has_retry);
  }
  EXPECT_TRUE(server.WaitUntilLoaded().ok());
}

}  // namespace
}  // namespace attend::server
