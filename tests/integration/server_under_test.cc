// Clients use their own subchannel pool, so that each channel is a connection of its own.
#include "tests/integration/server_under_test.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "engine/text/offset_map.h"
#include "google/rpc/error_details.pb.h"

namespace attend::server {
namespace {

// Labels of `name{a="b",c="d"}`; the values in these tests hold no quotes.
std::map<std::string, std::string> ParseLabels(const std::string& text) {
  std::map<std::string, std::string> labels;
  size_t at = 0;
  while (at < text.size()) {
    const size_t equals = text.find("=\"", at);
    if (equals == std::string::npos) break;
    const size_t end = text.find('"', equals + 2);
    labels[text.substr(at, equals - at)] = text.substr(equals + 2, end - equals - 2);
    at = end + 2;
  }
  return labels;
}

}  // namespace

std::string TinyModelFolder() { return ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model"; }

ServerOptions TinyOptions() {
  ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.metrics_address = "127.0.0.1:0";
  options.models = {{"tiny", TinyModelFolder()}};
  options.drain_timeout = absl::Seconds(10);
  return options;
}

ServerUnderTest::ServerUnderTest(ServerOptions options)
    : server_(std::make_unique<Server>(std::move(options))) {
  const absl::Status started = server_->Start();
  EXPECT_TRUE(started.ok()) << started;
  const absl::Status loaded = server_->WaitUntilLoaded();
  EXPECT_TRUE(loaded.ok()) << loaded;
  channel_ = NewChannel();
  translation = attend::v1::TranslationService::NewStub(channel_);
  summarization = attend::v1::SummarizationService::NewStub(channel_);
  attention = attend::v1::AttentionService::NewStub(channel_);
  tokenization = attend::v1::TokenizationService::NewStub(channel_);
  models = attend::v1::ModelService::NewStub(channel_);
  health = grpc::health::v1::Health::NewStub(channel_);
}

std::string ServerUnderTest::address() const {
  return absl::StrCat("127.0.0.1:", server_->grpc_port());
}

std::shared_ptr<grpc::Channel> ServerUnderTest::NewChannel() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments);
}

double ServerUnderTest::MetricValue(const std::string& name,
                                    const std::map<std::string, std::string>& labels) const {
  std::istringstream text(server_->MetricsText());
  for (std::string line; std::getline(text, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.rfind(' ');
    const std::string series = line.substr(0, space);
    const size_t brace = series.find('{');
    if (series.substr(0, brace) != name) continue;
    const auto found = brace == std::string::npos
                           ? std::map<std::string, std::string>()
                           : ParseLabels(series.substr(brace + 1, series.size() - brace - 2));
    if (found == labels) return std::strtod(line.c_str() + space + 1, nullptr);
  }
  return -1;
}

bool ServerUnderTest::WaitForMetric(const std::string& name,
                                    const std::map<std::string, std::string>& labels,
                                    double value) const {
  for (int i = 0; i < 1000; ++i) {
    if (MetricValue(name, labels) == value) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

ServerUnderTest& SharedServer() {
  static ServerUnderTest server;
  return server;
}

CallError ErrorOf(const google::rpc::Status& status) {
  CallError error;
  error.code = static_cast<grpc::StatusCode>(status.code());
  error.message = status.message();
  for (const google::protobuf::Any& any : status.details()) {
    google::rpc::ErrorInfo error_info;
    google::rpc::BadRequest bad_request;
    google::rpc::ResourceInfo resource;
    google::rpc::PreconditionFailure precondition;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&error_info)) {
      ++error.num_error_infos;
      error.reason = error_info.reason();
      error.domain = error_info.domain();
      error.metadata.insert(error_info.metadata().begin(), error_info.metadata().end());
    } else if (any.UnpackTo(&bad_request)) {
      error.field = bad_request.field_violations(0).field();
    } else if (any.UnpackTo(&resource)) {
      error.resource_name = resource.resource_name();
    } else if (any.UnpackTo(&precondition)) {
      error.violation_type = precondition.violations(0).type();
    } else if (any.UnpackTo(&retry)) {
      error.has_retry = true;
    }
  }
  return error;
}

CallError ErrorOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details()) || status.error_details().empty()) {
    details.set_code(status.error_code());
    details.set_message(status.error_message());
  }
  EXPECT_EQ(details.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(details.message(), status.error_message());
  return ErrorOf(details);
}

std::string Summary(const CallError& error) {
  std::string out = absl::StrCat(
      absl::StatusCodeToString(static_cast<absl::StatusCode>(error.code)), " ", error.reason);
  if (!error.field.empty()) absl::StrAppend(&out, " ", error.field);
  return out;
}

std::string Summary(const grpc::Status& status) { return Summary(ErrorOf(status)); }

std::string TextOf(const std::string& text, const attend::v1::Span& span,
                   attend::v1::OffsetUnit unit) {
  OffsetUnit engine_unit = OffsetUnit::kByte;
  if (unit == attend::v1::OFFSET_UNIT_UTF16) engine_unit = OffsetUnit::kUtf16;
  if (unit == attend::v1::OFFSET_UNIT_CODE_POINT) engine_unit = OffsetUnit::kCodePoint;
  const OffsetMap map(text, engine_unit);
  const auto begin = map.ToByte(span.start()), end = map.ToByte(span.end());
  if (!begin || !end || *end < *begin) return "(no span)";
  return text.substr(*begin, *end - *begin);
}

std::string HttpGet(int port, const std::string& path, int* status) {
  *status = 0;
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(port));
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)) == 0) {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (::send(fd, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      for (ssize_t n; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;)
        answer.append(buffer, static_cast<size_t>(n));
    }
  }
  ::close(fd);
  const size_t body = answer.find("\r\n\r\n");
  if (body == std::string::npos || answer.size() < 12) return "";
  *status = std::atoi(answer.c_str() + 9);
  return answer.substr(body + 4);
}

HalfRequest::HalfRequest(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(port));
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)), 0);
  EXPECT_EQ(::send(fd_, "GET /liv", 8, 0), 8);
}

HalfRequest::~HalfRequest() { ::close(fd_); }

bool HalfRequest::is_open() const {
  char byte = 0;
  return ::recv(fd_, &byte, 1, MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::unique_ptr<attend::v1::AttentionService::Stub> NarrowAttentionStub(
    const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // else the window grows
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65535);
  return attend::v1::AttentionService::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

attend::v1::StreamAttentionRequest LargeAttentionStream() {
  attend::v1::StreamAttentionRequest request;
  request.set_model("models/tiny");
  for (int i = 0; i < 15; ++i) request.mutable_source()->append("cat sat mat ");
  request.set_target(request.source());
  for (const attend::v1::AttentionKind kind :
       {attend::v1::ATTENTION_KIND_CROSS, attend::v1::ATTENTION_KIND_ENCODER_SELF,
        attend::v1::ATTENTION_KIND_DECODER_SELF}) {
    request.mutable_selection()->add_kinds(kind);
  }
  request.mutable_selection()->set_reduction(attend::v1::ATTENTION_REDUCTION_NONE);
  return request;
}

attend::v1::TranslateRequest TranslateOf(const std::vector<std::string>& texts) {
  attend::v1::TranslateRequest request;
  request.mutable_config()->set_model("models/tiny");
  for (const std::string& text : texts) request.add_texts(text);
  return request;
}

}  // namespace attend::server
