// A gRPC server for faults that the real server cannot easily be made to show: refusals with a
// retry delay, calls that never end, streams that break, answers that contradict themselves. It
// translates nothing.
#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attend/v1/attention.grpc.pb.h"
#include "attend/v1/model.grpc.pb.h"
#include "attend/v1/translation.grpc.pb.h"

namespace attend::client {

// A status with google.rpc details, as the real server sends it.
grpc::Status Refusal(grpc::StatusCode code, const std::string& reason, const std::string& message,
                     int retry_ms = -1);

// The same for a field that the server does not take.
grpc::Status RefusalOfField(grpc::StatusCode code, const std::string& reason,
                            const std::string& field);

// Each test sets the answers it needs; the rest is UNIMPLEMENTED.
class FaultyServer final {
 public:
  using Translate = std::function<grpc::Status(
      grpc::ServerContext*, const attend::v1::TranslateRequest&, attend::v1::TranslateResponse*)>;
  using StreamTranslate =
      std::function<grpc::Status(grpc::ServerContext*, const attend::v1::StreamTranslateRequest&,
                                 grpc::ServerWriter<attend::v1::StreamTranslateResponse>*)>;
  using GetAttention = std::function<grpc::Status(const attend::v1::GetAttentionRequest&,
                                                  attend::v1::GetAttentionResponse*)>;
  using AlignWords = std::function<grpc::Status(const attend::v1::AlignWordsRequest&,
                                                attend::v1::AlignWordsResponse*)>;
  using StreamAttention =
      std::function<grpc::Status(grpc::ServerWriter<attend::v1::StreamAttentionResponse>*)>;

  Translate translate;
  StreamTranslate stream_translate;
  GetAttention get_attention;
  StreamAttention stream_attention;
  AlignWords align_words;
  std::vector<std::string> models = {"models/en-fr"};
  std::atomic<int> num_calls{0};
  std::atomic<int> num_cancelled{0};

  FaultyServer();
  ~FaultyServer();
  void Start();
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // Answers every text with itself in capital letters; "FAIL" becomes an item error.
  static grpc::Status Capitals(const attend::v1::TranslateRequest& request,
                               attend::v1::TranslateResponse* response);
  // Blocks until the client gave up, then counts it.
  grpc::Status WaitForCancel(grpc::ServerContext* context);

 private:
  class TranslationFaults;
  class AttentionFaults;
  class ModelList;
  std::unique_ptr<TranslationFaults> translation_;
  std::unique_ptr<AttentionFaults> attention_;
  std::unique_ptr<ModelList> model_list_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace attend::client
