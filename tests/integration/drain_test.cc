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

TEST(DrainTest, RunningCallsEndAndNewOnesAreRefused) {
  ServerOptions options = TinyOptions();
  options.drain_delay = absl::Milliseconds(300);
  options.drain_timeout = absl::Seconds(60);
  ServerUnderTest server(options);
  std::thread caller([&] {
    grpc::ClientContext context;
    v1::TranslateResponse response;
    const grpc::Status status = server.translation->Translate(&context, WorkFor(150), &response);
    EXPECT_TRUE(status.ok()) << Summary(status);
    EXPECT_TRUE(response.outcomes_size() == 1 && response.outcomes(0).has_translation());
  });
  EXPECT_TRUE(server.WaitForMetric("attend_requests_in_flight", {{"method", "Translate"}}, 1));
  std::thread drain([&] { server.server().Drain(); });
  EXPECT_TRUE(server.WaitForMetric("attend_ready", {}, 0));
  {  // within the delay: unhealthy, but still serving
    grpc::ClientContext check, call;
    health::HealthCheckResponse state;
    ASSERT_TRUE(server.health->Check(&check, health::HealthCheckRequest(), &state).ok());
    EXPECT_EQ(state.status(), health::HealthCheckResponse::NOT_SERVING);
    int http = 0;
    HttpGet(server.server().metrics_port(), "/readyz", &http);
    EXPECT_EQ(http, 503);
    v1::TranslateResponse response;
    EXPECT_TRUE(server.translation->Translate(&call, TranslateOf({"Yes."}), &response).ok());
  }
  bool refused = false;
  for (int i = 0; i < 300 && !refused; ++i) {
    grpc::ClientContext context;
    v1::TranslateResponse response;
    const grpc::Status status =
        server.translation->Translate(&context, TranslateOf({"Yes."}), &response);
    if (!status.ok()) {
      const CallError error = ErrorOf(status);
      EXPECT_EQ(Summary(error), "UNAVAILABLE SHUTTING_DOWN");
      EXPECT_TRUE(error.has_retry);
      refused = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(refused);
  caller.join();
  drain.join();
  EXPECT_EQ(server.MetricValue("attend_model_state", {{"model", "tiny"}, {"state", "draining"}}),
            1);
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
  server.server().Drain();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(8));
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
