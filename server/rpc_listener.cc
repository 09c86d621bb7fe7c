// gRPC's plugins (health, reflection) are process-wide switches; what is particular to this server
// is set on its builder.
#include "server/rpc_listener.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.pb.h"
#include "server/convert/names.h"
#include "server/services/service_factory.h"
#include "server/services/stall_watch.h"

namespace attend::server {
namespace {

// Takes the reflection plugin away again: linking it puts it into every builder.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->erase(std::remove_if(plugins->begin(), plugins->end(),
                                  [](const auto& plugin) {
                                    return plugin->name() == "proto_server_reflection";
                                  }),
                   plugins->end());
  }
};

// Reflection is the one service that is not ours, and synchronous: each of its streams holds a
// thread for as long as its client likes. Ours run on callbacks, whose threads gRPC counts itself.
constexpr int kMostSynchronousThreads = 8;

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::min<int64_t>(absl::ToInt64Milliseconds(duration), std::numeric_limits<int>::max()));
}

void Configure(const RpcOptions& options, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(options.max_message_bytes);
  builder->SetMaxSendMessageSize(options.max_message_bytes);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  // gRPC limits the bytes of a message as they arrive: compressed, a thousandth of what they
  // become.
  for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP})
    builder->SetCompressionAlgorithmSupportStatus(algorithm, false);
  // A client behind a dead line is noticed, and one that pings to keep its own line open is not
  // taken for an attacker (gRPC allows a ping in five minutes).
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              Milliseconds(options.keepalive_timeout));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              Milliseconds(options.least_ping_interval));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                              Milliseconds(options.connection_idle));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(options.connection_age));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                              Milliseconds(options.connection_grace));
  grpc::ResourceQuota quota("attend");
  quota.SetMaxThreads(kMostSynchronousThreads);
  builder->SetResourceQuota(quota);
  // Two servers on one port would share its connections silently; an address in use is an error
  // instead.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  if (!options.reflection) builder->SetOption(std::make_unique<WithoutReflection>());
}

}  // namespace

struct RpcListener::State {
  State(const RpcOptions& rpc, std::vector<std::string> folders)
      : options(rpc), hidden_folders(std::move(folders)), stalls(rpc.slow_reader_timeout) {}
  const RpcOptions options;
  const std::vector<std::string> hidden_folders;
  const std::shared_ptr<CallGate> gate = std::make_shared<CallGate>();
  StallWatch stalls;
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<grpc::Server> server;
  int port = 0;

  grpc::HealthCheckServiceInterface& health() { return *server->GetHealthCheckService(); }
};

absl::StatusOr<std::unique_ptr<RpcListener>> RpcListener::Start(const std::string& address,
                                                                const RpcOptions& options,
                                                                std::vector<std::string> hidden,
                                                                Engine* engine, Metrics* metrics) {
  grpc::EnableDefaultHealthCheckService(true);
  if (options.reflection) {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // gRPC's own health service brings no descriptor; naming ours keeps it in the binary, where
    // reflection finds it.
    grpc::health::v1::HealthCheckRequest::descriptor();
  }
  auto state = std::make_unique<State>(options, std::move(hidden));
  const ServiceParts parts{engine,          metrics,     &state->stalls,
                           &state->options, state->gate, &state->hidden_folders};
  state->services.push_back(MakeTranslationService(parts));
  state->services.push_back(MakeSummarizationService(parts));
  state->services.push_back(MakeAttentionService(parts));
  state->services.push_back(MakeTokenizationService(parts));
  state->services.push_back(MakeModelService(parts));
  grpc::ServerBuilder builder;
  Configure(options, &builder);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &state->port);
  for (const auto& service : state->services) builder.RegisterService(service.get());
  state->server = builder.BuildAndStart();
  if (state->server == nullptr || state->port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, " for gRPC: is the address in use?"));
  }
  auto listener = std::unique_ptr<RpcListener>(new RpcListener(std::move(state)));
  listener->SetServing(false);
  return listener;
}

RpcListener::RpcListener(std::unique_ptr<State> state) : state_(std::move(state)) {}

RpcListener::~RpcListener() { Shutdown(absl::ZeroDuration()); }

int RpcListener::port() const { return state_->port; }

void RpcListener::SetModelServing(const std::string& model, bool serving) {
  state_->health().SetServingStatus(ModelResourceName(model), serving);
}

void RpcListener::SetServing(bool serving) {
  state_->health().SetServingStatus("", serving);
  for (const char* service : kRpcServices) state_->health().SetServingStatus(service, serving);
}

void RpcListener::RefuseCalls() { state_->gate->Shut(); }

bool RpcListener::WaitForCalls(absl::Time until) { return state_->gate->WaitUntilEmpty(until); }

void RpcListener::Shutdown(absl::Duration grace) {
  state_->server->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(grace));
  state_->server->Wait();
}

}  // namespace attend::server
