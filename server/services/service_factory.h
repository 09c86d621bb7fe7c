// The services of attend.v1, each made from the same parts.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "server/services/rpc_scope.h"  // ServiceParts

namespace attend::server {

std::unique_ptr<grpc::Service> MakeTranslationService(const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeSummarizationService(const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeAttentionService(const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeTokenizationService(const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeModelService(const ServiceParts& parts);

}  // namespace attend::server
