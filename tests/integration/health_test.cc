// The standard health protocol for the server, each service and each model, and reflection.
#include "absl/strings/str_cat.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "server/rpc_method.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace health = grpc::health::v1;
namespace v1 = attend::v1;

health::HealthCheckResponse::ServingStatus Check(ServerUnderTest& server,
                                                 const std::string& service) {
  health::HealthCheckRequest request;
  request.set_service(service);
  grpc::ClientContext context;
  health::HealthCheckResponse response;
  const grpc::Status status = server.health->Check(&context, request, &response);
  EXPECT_TRUE(status.ok()) << service << ": " << status.error_message();
  return response.status();
}

TEST(HealthTest, ServerServicesAndModels) {
  ServerOptions options = TinyOptions();
  options.models.push_back({"broken", "/nonexistent/model"});
  ServerUnderTest server(options);
  EXPECT_EQ(Check(server, ""), health::HealthCheckResponse::SERVING);
  for (const char* service : kRpcServices)
    EXPECT_EQ(Check(server, service), health::HealthCheckResponse::SERVING);
  EXPECT_EQ(Check(server, "models/tiny"), health::HealthCheckResponse::SERVING);
  EXPECT_EQ(Check(server, "models/broken"), health::HealthCheckResponse::NOT_SERVING);
  health::HealthCheckRequest request;
  request.set_service("models/none");
  grpc::ClientContext context;
  health::HealthCheckResponse response;
  EXPECT_EQ(server.health->Check(&context, request, &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST(HealthTest, WatchSeesTheDrain) {
  ServerUnderTest server;
  health::HealthCheckRequest request;
  request.set_service("models/tiny");
  grpc::ClientContext context;
  auto watch = server.health->Watch(&context, request);
  health::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), health::HealthCheckResponse::SERVING);
  server.server().Drain();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), health::HealthCheckResponse::NOT_SERVING);
  context.TryCancel();
}

TEST(HealthTest, WatchSeesTheLoading) {
  ServerOptions options = TinyOptions();
  options.models.clear();
  for (int i = 0; i < 20; ++i) options.models.push_back({absl::StrCat("m", i), TinyModelFolder()});
  Server server(options);
  ASSERT_TRUE(server.Start().ok());
  auto stub = health::Health::NewStub(grpc::CreateChannel(
      absl::StrCat("127.0.0.1:", server.grpc_port()), grpc::InsecureChannelCredentials()));
  // The last model is the last to be loaded; before, it is known and does not serve.
  health::HealthCheckRequest request;
  request.set_service("models/m19");
  grpc::ClientContext context;
  auto watch = stub->Watch(&context, request);
  health::HealthCheckResponse response;
  int answers = 0;
  do {
    ASSERT_TRUE(watch->Read(&response));
    ++answers;
    EXPECT_NE(response.status(), health::HealthCheckResponse::SERVICE_UNKNOWN);
  } while (response.status() != health::HealthCheckResponse::SERVING);
  EXPECT_LE(answers, 2);
  EXPECT_TRUE(server.WaitUntilLoaded().ok());
  context.TryCancel();
}

// One request of grpc.reflection.v1alpha, whose field `field` is `value`; the response's bytes,
// empty when the server does not know the service.
std::string Reflect(ServerUnderTest& server, int field, const std::string& value) {
  grpc::GenericStub stub(server.channel());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  auto call = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  if (!wait()) return "";
  std::string bytes(1, static_cast<char>(field << 3 | 2));
  bytes += static_cast<char>(value.size());
  bytes += value;
  const grpc::Slice slice(bytes);
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  if (!wait()) return "";
  grpc::ByteBuffer response;
  call->Read(&response, nullptr);
  if (!wait()) return "";
  std::vector<grpc::Slice> slices;
  response.Dump(&slices);
  std::string out;
  for (const grpc::Slice& part : slices)
    out.append(reinterpret_cast<const char*>(part.begin()), part.size());
  call->WritesDone(nullptr);
  wait();
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  return out;
}

TEST(ReflectionTest, ListsServicesAndKnowsTheirFiles) {
  const std::string services = Reflect(SharedServer(), 7, "*");
  for (const char* service : kRpcServices)
    EXPECT_NE(services.find(service), std::string::npos) << service;
  EXPECT_NE(services.find("grpc.health.v1.Health"), std::string::npos);
  EXPECT_NE(Reflect(SharedServer(), 4, "grpc.health.v1.Health").find("grpc/health/v1/health.proto"),
            std::string::npos);
  EXPECT_NE(Reflect(SharedServer(), 4, "attend.v1.TranslationService")
                .find("attend/v1/translation.proto"),
            std::string::npos);
}

// A reflection stream that stays open, and whether it was answered.
class OpenReflection {
 public:
  explicit OpenReflection(ServerUnderTest& server) : stub_(server.NewChannel()) {
    call_ = stub_.PrepareCall(
        &context_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue_);
    call_->StartCall(nullptr);
    if (!Wait()) return;
    const grpc::Slice slice(std::string("\x3a\x01*"));  // list_services: "*"
    call_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    if (!Wait()) return;
    grpc::ByteBuffer response;
    call_->Read(&response, nullptr);
    answered_ = Wait();
  }
  ~OpenReflection() { Close(); }

  bool answered() const { return answered_; }
  grpc::StatusCode Close() {
    if (closed_) return grpc::StatusCode::OK;
    closed_ = true;
    if (answered_) context_.TryCancel();
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Wait();
    return status.error_code();
  }

 private:
  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool answered_ = false, closed_ = false;
};

// gRPC gives each of these streams a thread, which its client may keep as long as it likes.
TEST(ReflectionTest, OpenStreamsCannotTakeThreadsWithoutLimit) {
  ServerUnderTest server;
  std::vector<std::unique_ptr<OpenReflection>> streams;
  for (int i = 0; i < 20; ++i) streams.push_back(std::make_unique<OpenReflection>(server));
  int answered = 0;
  for (const auto& stream : streams) {
    if (stream->answered()) {
      ++answered;
    } else {
      EXPECT_EQ(stream->Close(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    }
  }
  EXPECT_GE(answered, 1);
  EXPECT_LE(answered, 8);
  grpc::ClientContext context;
  v1::TranslateResponse response;
  EXPECT_TRUE(server.translation->Translate(&context, TranslateOf({"Yes."}), &response).ok())
      << "our own services need none of these threads";
  streams.clear();
  bool again = false;
  for (int i = 0; i < 1000 && !again; ++i) again = OpenReflection(server).answered();
  EXPECT_TRUE(again);
}

TEST(ReflectionTest, CanBeOff) {
  ServerOptions options = TinyOptions();
  options.rpc.reflection = false;
  ServerUnderTest server(options);
  EXPECT_EQ(Reflect(server, 7, "*"), "");
  EXPECT_EQ(Check(server, ""), health::HealthCheckResponse::SERVING);
}

}  // namespace
}  // namespace attend::server
