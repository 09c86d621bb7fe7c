// What a callback throws ends its call and nothing else. The throwing is done by a service made for
// it, on the same reactors that the real services use, because no request may make those throw.
#include <new>
#include <stdexcept>
#include <thread>

#include "gtest/gtest.h"
#include "server/services/stall_watch.h"
#include "server/services/stream_call.h"
#include "server/services/unary_call.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

enum class Place { kBody, kTake, kFeed, kEnding, kNowhere };

class ThrowingSource final : public StreamSource {
 public:
  explicit ThrowingSource(Place place) : place_(place) {}
  Next Take(std::unique_ptr<google::protobuf::MessageLite>* message, absl::Status*) override {
    if (place_ == Place::kTake) throw std::length_error("take");
    if (sent_) return Next::kEnd;
    if (!done_) return Next::kNothingYet;
    sent_ = true;
    *message = std::make_unique<v1::StreamTranslateResponse>();
    return Next::kMessage;
  }
  bool engine_done() const override { return done_; }
  void Ending(const absl::Status&) override {
    if (place_ == Place::kEnding) throw std::runtime_error("ending");
  }
  void Done() {
    done_ = true;
    if (place_ == Place::kFeed) throw std::bad_alloc();
  }

 private:
  const Place place_;
  std::atomic<bool> done_{false};
  bool sent_ = false;
};

using RawBase = v1::TranslationService::WithRawCallbackMethod_Translate<
    v1::TranslationService::WithRawCallbackMethod_StreamTranslate<v1::TranslationService::Service>>;

// The text of the request names the place.
class ThrowingService final : public RawBase {
 public:
  explicit ThrowingService(const ServiceParts& parts) : parts_(parts) {}
  ~ThrowingService() override {
    for (std::thread& thread : threads_) thread.join();
  }

  grpc::ServerUnaryReactor* Translate(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override {
    return StartUnary<v1::TranslateRequest>(
        {RpcMethod::kTranslate, context, request, response}, parts_,
        [](const v1::TranslateRequest&, const std::shared_ptr<UnaryCall>&) -> absl::Status {
          throw std::bad_alloc();
        });
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamTranslate(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return StartStream<v1::StreamTranslateRequest>(
        RpcMethod::kStreamTranslate, context, request, parts_,
        [this](const v1::StreamTranslateRequest& parsed, const std::shared_ptr<StreamCall>& call) {
          const auto place = static_cast<Place>(parsed.text().size());
          if (place == Place::kBody) throw std::runtime_error("body");
          auto source = std::make_shared<ThrowingSource>(place);
          call->Start(source);
          // As the engine's threads do.
          threads_.emplace_back([call, source] { call->Feed([&] { source->Done(); }); });
          return absl::OkStatus();
        });
  }

 private:
  const ServiceParts parts_;
  std::vector<std::thread> threads_;
};

TEST(GuardedCallsTest, AnExceptionEndsItsCallAndNothingElse) {
  Metrics metrics;
  Engine engine{EngineOptions()};
  StallWatch stalls(absl::Seconds(30));
  const RpcOptions rpc;
  const std::vector<std::string> folders;
  ThrowingService service(
      {&engine, &metrics, &stalls, &rpc, std::make_shared<CallGate>(), &folders});
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  auto stub = v1::TranslationService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));

  const auto stream = [&](Place place, int* messages) {
    v1::StreamTranslateRequest request;
    request.set_text(std::string(static_cast<size_t>(place), 'x'));
    grpc::ClientContext context;
    auto reader = stub->StreamTranslate(&context, request);
    *messages = 0;
    for (v1::StreamTranslateResponse response; reader->Read(&response);) ++*messages;
    return Summary(reader->Finish());
  };
  int messages = 0;
  EXPECT_EQ(stream(Place::kBody, &messages), "INTERNAL BUG");
  EXPECT_EQ(stream(Place::kTake, &messages), "RESOURCE_EXHAUSTED OUT_OF_MEMORY");
  EXPECT_EQ(stream(Place::kFeed, &messages), "RESOURCE_EXHAUSTED OUT_OF_MEMORY");
  EXPECT_EQ(messages, 0) << "a source that was fed by halves is not read";
  EXPECT_EQ(stream(Place::kEnding, &messages), "INTERNAL BUG");
  EXPECT_EQ(stream(Place::kNowhere, &messages), "OK ");
  EXPECT_EQ(messages, 1);
  grpc::ClientContext context;
  v1::TranslateResponse response;
  EXPECT_EQ(Summary(stub->Translate(&context, v1::TranslateRequest(), &response)),
            "RESOURCE_EXHAUSTED OUT_OF_MEMORY");
  server->Shutdown();
}

}  // namespace
}  // namespace attend::server
