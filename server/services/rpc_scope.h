// One call from its first byte to its status: request id, deadline, cancel flag on the way in;
// trailers, metrics and one log line on the way out. Owned by the call's reactor, which outlives
// everything that uses it.
#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/engine.h"
#include "server/metrics/metrics.h"
#include "server/rpc_method.h"
#include "server/server_options.h"  // RpcOptions
#include "server/services/call_gate.h"

namespace attend::server {

class StallWatch;

// What every service works with; the pointers are borrowed and outlive the services.
struct ServiceParts {
  Engine* engine;
  Metrics* metrics;
  StallWatch* stalls;
  const RpcOptions* rpc;
  std::shared_ptr<CallGate> gate;
  // Folders of models, which callers are not told; the log names them.
  const std::vector<std::string>* hidden_folders;
};

// What the log line and the metrics tell about a call; texts only as sizes.
struct CallRecord {
  std::string model;  // as the caller named it, then the one that was chosen; may be empty
  int64_t items = 0;
  int64_t input_bytes = 0, output_bytes = 0;
  std::vector<std::string>
      attention_kinds;  // what was asked for: Name(AttentionKind), "align", "query"
};

class RpcScope {
 public:
  RpcScope(RpcMethod method, grpc::CallbackServerContext* context, const ServiceParts& parts);
  ~RpcScope();
  RpcScope(const RpcScope&) = delete;
  RpcScope& operator=(const RpcScope&) = delete;

  // Deadline (the server's default when the caller set none), cancel flag, fairness key: what the
  // engine wants.
  const CallContext& call_context() const { return call_; }
  const ServiceParts& parts() const { return parts_; }
  RpcMethod method() const { return method_; }
  const std::string& request_id() const { return request_id_; }
  absl::Duration elapsed() const;

  // The client has gone, or the call is given up for another reason: tells the engine.
  void Cancel();

  // For the log line, the trailers and the metrics; call before Finish.
  CallRecord& record() { return record_; }
  void set_usage(const CallUsage& usage) { usage_ = usage; }
  // First thing in the engine's callback: takes over what the engine reports of the call, however
  // it ended. Before it, the report belongs to the engine.
  void EngineEnded();
  // The service has counted the call's items, each with its own outcome. Otherwise a call that
  // fails counts all of them with its reason.
  void ItemsCounted() { items_counted_ = true; }
  // A part of the call failed for this reason; if that is a refusal, the call counts as refused,
  // once.
  void PartFailed(const std::string& reason);

  // Adds the trailers, counts and logs. The result goes to the reactor's Finish. Call once. Does
  // not throw.
  grpc::Status Finish(const absl::Status& status);

 private:
  void AddTrailers(const absl::Status& status);
  void Count(const absl::Status& status);
  void WriteLog(const absl::Status& status, absl::Duration duration) const;

  const RpcMethod method_;
  grpc::CallbackServerContext* const context_;
  const ServiceParts parts_;
  const absl::Time start_;
  const int64_t start_ns_;  // monotonic
  std::string request_id_;
  CallContext call_;
  CallRecord record_;
  CallUsage usage_;
  bool items_counted_ = false;
  std::string refused_reason_;
};

// A caller's x-request-id if it is one (1 to 128 visible ASCII characters), else a fresh one.
std::string ChooseRequestId(const std::string& from_caller);

}  // namespace attend::server
