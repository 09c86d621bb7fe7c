// What the server does when nobody waits for an answer any more: the engine must be idle soon
// after.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

// Work for many seconds: long outputs, all beams, many sentences.
v1::TranslateRequest HeavyRequest() {
  std::string text;
  for (int i = 0; i < 150; ++i)
    text += "The cat sat on the mat and my brother reads the question to the children. ";
  v1::TranslateRequest request = TranslateOf({text});
  for (int i = 0; i < 15; ++i) request.add_texts(text);
  v1::DecodingOptions& decoding = *request.mutable_config()->mutable_decoding();
  decoding.set_beam_size(8);
  decoding.set_min_output_tokens(60);
  decoding.set_max_output_tokens(100);
  return request;
}

v1::StreamTranslateRequest HeavyStream() {
  v1::StreamTranslateRequest request;
  *request.mutable_config() = HeavyRequest().config();
  request.mutable_config()->mutable_decoding()->set_beam_size(1);
  for (int i = 0; i < 10; ++i) request.mutable_text()->append(HeavyRequest().texts(0));
  return request;
}

void ExpectIdle(const ServerUnderTest& server) {
  EXPECT_TRUE(server.WaitForMetric("attend_active_sequences", {{"model", "tiny"}}, 0));
  EXPECT_TRUE(server.WaitForMetric("attend_queue_items", {{"model", "tiny"}}, 0));
  EXPECT_TRUE(server.WaitForMetric("attend_kv_cache_bytes", {{"model", "tiny"}}, 0));
  EXPECT_TRUE(server.WaitForMetric("attend_requests_in_flight", {{"method", "Translate"}}, 0));
  EXPECT_TRUE(
      server.WaitForMetric("attend_requests_in_flight", {{"method", "StreamTranslate"}}, 0));
}

double Cancelled(const ServerUnderTest& server, const std::string& cause) {
  double sum = 0;
  for (const char* stage : {"queued", "encode", "decode"}) {
    sum += server.MetricValue("attend_cancelled_total",
                              {{"model", "tiny"}, {"cause", cause}, {"stage", stage}});
  }
  return sum;
}

TEST(CancelTest, AClientThatGoesAwayMidStreamFreesTheEngine) {
  ServerUnderTest server;
  grpc::ClientContext context;
  auto reader = server.translation->StreamTranslate(&context, HeavyStream());
  v1::StreamTranslateResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.has_delta());
  for (int i = 0;
       i < 1000 && server.MetricValue("attend_active_sequences", {{"model", "tiny"}}) < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  context.TryCancel();
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  ExpectIdle(server);
  EXPECT_GT(Cancelled(server, "client"), 0);
  EXPECT_GT(
      server.MetricValue("attend_wasted_tokens_total", {{"model", "tiny"}, {"cause", "client"}}),
      0);
}

TEST(CancelTest, UnaryCallsToo) {
  ServerUnderTest server;
  grpc::ClientContext context;
  std::thread caller([&] {
    v1::TranslateResponse response;
    EXPECT_EQ(server.translation->Translate(&context, HeavyRequest(), &response).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  EXPECT_TRUE(server.WaitForMetric("attend_requests_in_flight", {{"method", "Translate"}}, 1));
  context.TryCancel();
  caller.join();
  ExpectIdle(server);
}

// A deadline that is over before the engine has begun proves nothing, so later ones are tried until
// one falls into the work, which is far longer than all of them.
TEST(DeadlineTest, TheClientsDeadlineStopsTheEngine) {
  ServerUnderTest server;
  for (int milliseconds = 200; milliseconds < 30000 && Cancelled(server, "deadline") == 0;
       milliseconds *= 2) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(milliseconds));
    v1::TranslateResponse response;
    ASSERT_EQ(server.translation->Translate(&context, HeavyRequest(), &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
    ExpectIdle(server);
  }
  EXPECT_GT(Cancelled(server, "deadline"), 0);
  EXPECT_GT(server.MetricValue(
                "attend_items_total",
                {{"method", "Translate"}, {"model", "tiny"}, {"outcome", "DEADLINE_EXCEEDED"}}),
            0);
  EXPECT_EQ(server.MetricValue("attend_items_total",
                               {{"method", "Translate"}, {"model", "tiny"}, {"outcome", "ok"}}),
            0);
  EXPECT_EQ(server.MetricValue("attend_item_duration_seconds_count",
                               {{"method", "Translate"}, {"model", "tiny"}}),
            0)
      << "durations are those of items that were answered";
}

TEST(DeadlineTest, ACallWithoutOneGetsTheServersAndHearsHowFarItGot) {
  int64_t tokens_done = 0;
  for (int milliseconds = 200; milliseconds < 30000 && tokens_done == 0; milliseconds *= 2) {
    ServerOptions options = TinyOptions();
    options.rpc.default_deadline = absl::Milliseconds(milliseconds);
    ServerUnderTest server(options);
    grpc::ClientContext context;
    v1::TranslateResponse response;
    const CallError error =
        ErrorOf(server.translation->Translate(&context, HeavyRequest(), &response));
    ASSERT_EQ(Summary(error), "DEADLINE_EXCEEDED DEADLINE_EXCEEDED");
    ASSERT_EQ(error.metadata.count("tokens_done"), 1u);
    ASSERT_TRUE(absl::SimpleAtoi(error.metadata.at("tokens_done"), &tokens_done));
    ExpectIdle(server);
  }
  EXPECT_GT(tokens_done, 0);
}

TEST(SlowReaderTest, AStreamThatIsNotReadIsCancelled) {
  ServerOptions options = TinyOptions();
  options.rpc.slow_reader_timeout = absl::Milliseconds(300);
  ServerUnderTest server(options);
  auto stub = NarrowAttentionStub(server.address());
  grpc::ClientContext context;
  auto reader = stub->StreamAttention(&context, LargeAttentionStream());
  EXPECT_TRUE(
      server.WaitForMetric("attend_slow_readers_total", {{"method", "StreamAttention"}}, 1));
  EXPECT_TRUE(
      server.WaitForMetric("attend_requests_in_flight", {{"method", "StreamAttention"}}, 0));
  v1::StreamAttentionResponse part;
  bool complete = false;
  while (reader->Read(&part)) complete = part.has_usage();
  EXPECT_FALSE(complete);
  EXPECT_FALSE(reader->Finish().ok());
  const auto items = [&](const std::string& outcome) {
    return server.MetricValue(
        "attend_items_total",
        {{"method", "StreamAttention"}, {"model", "tiny"}, {"outcome", outcome}});
  };
  EXPECT_EQ(items("CANCELLED"), 1);
  EXPECT_EQ(items("ok"), 0) << "computed, but nobody has it";
  EXPECT_EQ(server.MetricValue("attend_attention_bytes_count", {{"model", "tiny"}}), 0);
}

TEST(SlowReaderTest, OneThatReadsSteadilyMayTakeLongerThanTheTimeout) {
  ServerOptions options = TinyOptions();
  options.rpc.slow_reader_timeout = absl::Milliseconds(300);
  ServerUnderTest server(options);
  auto stub = NarrowAttentionStub(server.address());
  grpc::ClientContext context;
  auto reader = stub->StreamAttention(&context, LargeAttentionStream());
  bool complete = false;
  int parts = 0;
  const auto start = std::chrono::steady_clock::now();
  for (v1::StreamAttentionResponse part; reader->Read(&part); ++parts) {
    complete = part.has_usage();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_GT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(600));
  EXPECT_TRUE(complete) << parts;
  EXPECT_TRUE(reader->Finish().ok());
}

// gRPC servers close a connection that pings more often than every five minutes, unless told
// otherwise.
TEST(KeepaliveTest, ClientsMayPing) {
  ServerOptions options = TinyOptions();
  options.rpc.least_ping_interval = absl::Milliseconds(1);
  ServerUnderTest server(options);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 50);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  const auto channel =
      grpc::CreateCustomChannel(server.address(), grpc::InsecureChannelCredentials(), arguments);
  auto stub = grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  auto watch = stub->Watch(&context, grpc::health::v1::HealthCheckRequest());
  grpc::health::v1::HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));
  // The client's library sends one in a second at most; the fourth would be one too many.
  EXPECT_FALSE(channel->WaitForStateChange(
      GRPC_CHANNEL_READY, std::chrono::system_clock::now() + std::chrono::seconds(5)));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_READY) << "the server said GOAWAY";
  context.TryCancel();
}

TEST(QueueTest, AFullQueueSaysWhenToRetry) {
  ServerOptions options = TinyOptions();
  options.scheduler.queue_capacity_tokens = 32;
  options.scheduler.max_batch_rows =
      8;  // one sequence of eight beams runs, one waits, a third is refused
  ServerUnderTest server(options);
  v1::TranslateRequest request =
      TranslateOf({"My brother reads the question to the children and the cat."});
  *request.mutable_config() = HeavyRequest().config();
  request.mutable_config()->set_model("tiny");
  std::atomic<int> refused{0}, unexpected{0};
  for (int round = 0; round < 20 && refused == 0; ++round) {
    std::vector<std::thread> callers;
    for (int i = 0; i < 8; ++i) {
      callers.emplace_back([&] {
        auto stub = v1::TranslationService::NewStub(server.NewChannel());
        grpc::ClientContext context;
        v1::TranslateResponse response;
        const grpc::Status status = stub->Translate(&context, request, &response);
        if (status.ok()) return;
        const CallError error = ErrorOf(status);
        const bool told = Summary(error) == "RESOURCE_EXHAUSTED QUEUE_FULL" && error.has_retry &&
                          context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms") == 1;
        ++(told ? refused : unexpected);
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(unexpected, 0);
  EXPECT_EQ(
      server.MetricValue("attend_refused_total", {{"model", "tiny"}, {"reason", "queue_full"}}),
      refused);
}

}  // namespace
}  // namespace attend::server
