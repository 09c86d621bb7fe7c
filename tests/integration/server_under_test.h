// A real server in this process, on free ports, with the tiny golden checkpoint, and real clients
// for it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attend/v1/attention.grpc.pb.h"
#include "attend/v1/model.grpc.pb.h"
#include "attend/v1/summarization.grpc.pb.h"
#include "attend/v1/tokenization.grpc.pb.h"
#include "attend/v1/translation.grpc.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/server.h"

namespace attend::server {

std::string TinyModelFolder();

// Loopback, free ports, one model "tiny".
ServerOptions TinyOptions();

class ServerUnderTest {
 public:
  // Started and loaded; fails the test otherwise.
  explicit ServerUnderTest(ServerOptions options = TinyOptions());

  Server& server() { return *server_; }
  std::string address() const;
  // A connection of its own each time.
  std::shared_ptr<grpc::Channel> NewChannel() const;
  std::shared_ptr<grpc::Channel> channel() const { return channel_; }

  std::unique_ptr<attend::v1::TranslationService::Stub> translation;
  std::unique_ptr<attend::v1::SummarizationService::Stub> summarization;
  std::unique_ptr<attend::v1::AttentionService::Stub> attention;
  std::unique_ptr<attend::v1::TokenizationService::Stub> tokenization;
  std::unique_ptr<attend::v1::ModelService::Stub> models;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;

  // Value of a series as it stands in the metrics text, for example "attend_ready" or
  // `attend_x{model="tiny"}`; labels in any order. -1 when there is no such series.
  double MetricValue(const std::string& name,
                     const std::map<std::string, std::string>& labels = {}) const;
  // Waits until the series has the value; false after ten seconds.
  bool WaitForMetric(const std::string& name, const std::map<std::string, std::string>& labels,
                     double value) const;

 private:
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// The server that most tests share: made at first use, ended with the process.
ServerUnderTest& SharedServer();

// A failed call's details, decoded from grpc-status-details-bin.
struct CallError {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message, reason, domain, field;
  std::map<std::string, std::string> metadata;
  std::string resource_name, violation_type;
  bool has_retry = false;
  int num_error_infos = 0;
};
CallError ErrorOf(const grpc::Status& status);
CallError ErrorOf(const google::rpc::Status& status);

// "INVALID_ARGUMENT EMPTY_INPUT source": what most tests of bad input compare.
std::string Summary(const CallError& error);
std::string Summary(const grpc::Status& status);

// The text that a span names, counted in the unit.
std::string TextOf(const std::string& text, const attend::v1::Span& span,
                   attend::v1::OffsetUnit unit);

// Body of an HTTP GET on the loopback interface; empty when that fails. `status` gets the status
// code.
std::string HttpGet(int port, const std::string& path, int* status);

// A connection to a port on the loopback interface that has sent "GET /liv" and says no more;
// closed with the object.
class HalfRequest {
 public:
  explicit HalfRequest(int port);
  ~HalfRequest();
  HalfRequest(const HalfRequest&) = delete;
  HalfRequest& operator=(const HalfRequest&) = delete;
  // Whether the server still waits for the rest.
  bool is_open() const;

 private:
  int fd_ = -1;
};

// A stub whose connection takes 64 KiB that nobody has read and no more, so that a stream waits for
// its reader; and a request for a stream many times that large.
std::unique_ptr<attend::v1::AttentionService::Stub> NarrowAttentionStub(const std::string& address);
attend::v1::StreamAttentionRequest LargeAttentionStream();

attend::v1::TranslateRequest TranslateOf(const std::vector<std::string>& texts);

}  // namespace attend::server
