// The gRPC side of the server: its port, its four services, health and reflection. Takes calls as
// soon as it is made; health says NOT_SERVING until told otherwise.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/engine.h"
#include "server/metrics/metrics.h"
#include "server/server_options.h"

namespace attend::server {

class RpcListener {
 public:
  // Binds HOST:PORT. UNAVAILABLE when that fails. Callers are not told of `hidden_folders`. The
  // pointers are borrowed and outlive the listener.
  static absl::StatusOr<std::unique_ptr<RpcListener>> Start(const std::string& address,
                                                            const RpcOptions& options,
                                                            std::vector<std::string> hidden_folders,
                                                            Engine* engine, Metrics* metrics);
  // Cancels what is left.
  ~RpcListener();

  int port() const;

  // Health of "models/<name>", and of "" and every service.
  void SetModelServing(const std::string& model, bool serving);
  void SetServing(bool serving);

  // From now on every new call is answered UNAVAILABLE / SHUTTING_DOWN; running ones go on.
  void RefuseCalls();
  // Whether by then every call of ours has its answer. (Health watches never end; they do not
  // count.)
  bool WaitForCalls(absl::Time until);
  // Refuses new connections, and cancels what still runs after `grace`.
  void Shutdown(absl::Duration grace);

 private:
  struct State;
  explicit RpcListener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace attend::server
