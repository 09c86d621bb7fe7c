// Synchronous services around the functions that a test sets.
#include "tests/client/faulty_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <cctype>
#include <chrono>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace attend::client {
namespace {

google::rpc::Status WithDetails(grpc::StatusCode code, const std::string& reason,
                                const std::string& message, int retry_ms) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(code));
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("attend");
  status.add_details()->PackFrom(info);
  if (retry_ms >= 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(retry_ms / 1000);
    retry.mutable_retry_delay()->set_nanos(retry_ms % 1000 * 1000000);
    status.add_details()->PackFrom(retry);
  }
  return status;
}

const grpc::Status& Unset() {
  static const grpc::Status status(grpc::StatusCode::UNIMPLEMENTED, "not part of this test");
  return status;
}

}  // namespace

grpc::Status Refusal(grpc::StatusCode code, const std::string& reason, const std::string& message,
                     int retry_ms) {
  return grpc::Status(code, message,
                      WithDetails(code, reason, message, retry_ms).SerializeAsString());
}

grpc::Status RefusalOfField(grpc::StatusCode code, const std::string& reason,
                            const std::string& field) {
  const std::string message = field + " is refused";
  google::rpc::Status status = WithDetails(code, reason, message, -1);
  google::rpc::BadRequest bad_request;
  bad_request.add_field_violations()->set_field(field);
  status.add_details()->PackFrom(bad_request);
  return grpc::Status(code, message, status.SerializeAsString());
}

class FaultyServer::TranslationFaults final : public attend::v1::TranslationService::Service {
 public:
  explicit TranslationFaults(FaultyServer* owner) : owner_(owner) {}
  grpc::Status Translate(grpc::ServerContext* context, const attend::v1::TranslateRequest* request,
                         attend::v1::TranslateResponse* response) override {
    ++owner_->num_calls;
    return owner_->translate ? owner_->translate(context, *request, response) : Unset();
  }
  grpc::Status StreamTranslate(
      grpc::ServerContext* context, const attend::v1::StreamTranslateRequest* request,
      grpc::ServerWriter<attend::v1::StreamTranslateResponse>* writer) override {
    ++owner_->num_calls;
    return owner_->stream_translate ? owner_->stream_translate(context, *request, writer) : Unset();
  }

 private:
  FaultyServer* owner_;
};

class FaultyServer::AttentionFaults final : public attend::v1::AttentionService::Service {
 public:
  explicit AttentionFaults(FaultyServer* owner) : owner_(owner) {}
  grpc::Status GetAttention(grpc::ServerContext*, const attend::v1::GetAttentionRequest* request,
                            attend::v1::GetAttentionResponse* response) override {
    return owner_->get_attention ? owner_->get_attention(*request, response) : Unset();
  }
  grpc::Status StreamAttention(
      grpc::ServerContext*, const attend::v1::StreamAttentionRequest*,
      grpc::ServerWriter<attend::v1::StreamAttentionResponse>* writer) override {
    return owner_->stream_attention ? owner_->stream_attention(writer) : Unset();
  }
  grpc::Status AlignWords(grpc::ServerContext*, const attend::v1::AlignWordsRequest* request,
                          attend::v1::AlignWordsResponse* response) override {
    return owner_->align_words ? owner_->align_words(*request, response) : Unset();
  }

 private:
  FaultyServer* owner_;
};

class FaultyServer::ModelList final : public attend::v1::ModelService::Service {
 public:
  explicit ModelList(FaultyServer* owner) : owner_(owner) {}
  // A model with one layer on each side.
  grpc::Status GetModel(grpc::ServerContext*, const attend::v1::GetModelRequest* request,
                        attend::v1::GetModelResponse* response) override {
    response->mutable_model()->set_name(request->name());
    response->mutable_model()->set_encoder_layer_count(1);
    response->mutable_model()->set_decoder_layer_count(1);
    return grpc::Status::OK;
  }
  grpc::Status ListModels(grpc::ServerContext*, const attend::v1::ListModelsRequest*,
                          attend::v1::ListModelsResponse* response) override {
    for (const std::string& name : owner_->models) response->add_models()->set_name(name);
    return grpc::Status::OK;
  }

 private:
  FaultyServer* owner_;
};

FaultyServer::FaultyServer()
    : translation_(std::make_unique<TranslationFaults>(this)),
      attention_(std::make_unique<AttentionFaults>(this)),
      model_list_(std::make_unique<ModelList>(this)) {}

FaultyServer::~FaultyServer() {
  if (server_ != nullptr)
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

void FaultyServer::Start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(translation_.get());
  builder.RegisterService(attention_.get());
  builder.RegisterService(model_list_.get());
  server_ = builder.BuildAndStart();
}

grpc::Status FaultyServer::Capitals(const attend::v1::TranslateRequest& request,
                                    attend::v1::TranslateResponse* response) {
  for (const std::string& text : request.texts()) {
    auto* outcome = response->add_outcomes();
    if (text == "FAIL") {
      *outcome->mutable_error() = WithDetails(grpc::StatusCode::INVALID_ARGUMENT, "INPUT_TOO_LONG",
                                              "the text is too long", -1);
      continue;
    }
    std::string capitals = text;
    for (char& c : capitals) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    outcome->mutable_translation()->set_text(capitals);
    outcome->mutable_translation()->add_hypotheses()->set_text(capitals);
  }
  return grpc::Status::OK;
}

grpc::Status FaultyServer::WaitForCancel(grpc::ServerContext* context) {
  for (int i = 0; i < 3000 && !context->IsCancelled(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (context->IsCancelled()) ++num_cancelled;
  return grpc::Status::CANCELLED;
}

}  // namespace attend::client
