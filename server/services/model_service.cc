// ListModels and GetModel. The page token is the last name of the page before: models are listed by
// name, so a page continues rightly even when models came or went in between.
#include <grpcpp/grpcpp.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "attend/v1/model.grpc.pb.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "server/convert/model_convert.h"
#include "server/convert/names.h"
#include "server/services/service_factory.h"
#include "server/services/unary_call.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using RawBase = v1::ModelService::WithRawCallbackMethod_ListModels<
    v1::ModelService::WithRawCallbackMethod_GetModel<v1::ModelService::Service>>;

constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1000;
constexpr char kTokenPrefix[] = "after:";

absl::StatusOr<std::string> ParsePageToken(const std::string& token) {
  if (token.empty()) return std::string();
  const std::string prefix = kTokenPrefix;
  if (token.compare(0, prefix.size(), prefix) == 0 && IsModelName(token.substr(prefix.size()))) {
    return token.substr(prefix.size());
  }
  return InvalidField("PAGE_TOKEN_INVALID", "page_token", "not a next_page_token of this server");
}

class ModelServiceImpl final : public RawBase {
 public:
  explicit ModelServiceImpl(const ServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return StartUnary<v1::ListModelsRequest>(
        {RpcMethod::kListModels, context, request, response}, parts_,
        [this](const v1::ListModelsRequest& parsed,
               const std::shared_ptr<UnaryCall>& call) -> absl::Status {
          if (parsed.page_size() < 0) {
            return InvalidField("OPTION_OUT_OF_RANGE", "page_size",
                                "a page size may not be negative");
          }
          ATTEND_ASSIGN_OR_RETURN(const std::string after, ParsePageToken(parsed.page_token()));
          const int page = parsed.page_size() == 0 ? kDefaultPageSize
                                                   : std::min(parsed.page_size(), kMaxPageSize);
          v1::ListModelsResponse reply;
          for (const ModelInfo& model : parts_.engine->ListModels()) {
            if (model.name <= after) continue;
            if (reply.models_size() == page) {
              const std::string last = reply.models(page - 1).name();
              reply.set_next_page_token(
                  absl::StrCat(kTokenPrefix, last.substr(last.find('/') + 1)));
              break;
            }
            ToProto(model, *parts_.hidden_folders, reply.add_models());
          }
          call->Reply(reply);
          return absl::OkStatus();
        });
  }

  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override {
    return StartUnary<v1::GetModelRequest>(
        {RpcMethod::kGetModel, context, request, response}, parts_,
        [this](const v1::GetModelRequest& parsed,
               const std::shared_ptr<UnaryCall>& call) -> absl::Status {
          ATTEND_ASSIGN_OR_RETURN(const std::string name,
                                  ParseModelName(parsed.name(), "name", false));
          call->scope().record().model = name;
          ATTEND_ASSIGN_OR_RETURN(const ModelInfo model, parts_.engine->GetModel(name));
          v1::GetModelResponse reply;
          ToProto(model, *parts_.hidden_folders, reply.mutable_model());
          call->Reply(reply);
          return absl::OkStatus();
        });
  }

 private:
  const ServiceParts parts_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeModelService(const ServiceParts& parts) {
  return std::make_unique<ModelServiceImpl>(parts);
}

}  // namespace attend::server
