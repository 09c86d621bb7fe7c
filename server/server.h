// The whole service in one object: engine, models, metrics, gRPC and HTTP endpoints. main and the
// integration tests both run this.
//
//   Start → binds both ports at once (health NOT_SERVING, calls answer MODEL_LOADING) and loads
//   models on a thread Drain → health NOT_SERVING, then the delay, then refuses new calls, lets
//   running ones end, cancels the rest
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/server_options.h"

namespace attend::server {

class Server {
 public:
  explicit Server(ServerOptions options);
  // Drains with no time at all if Drain was not called.
  ~Server();

  // UNAVAILABLE when a port cannot be bound, INVALID_ARGUMENT for a model that cannot be
  // registered. `on_loaded` (may be empty) gets the result of loading, on the loading thread.
  absl::Status Start(std::function<void(const absl::Status&)> on_loaded = nullptr);
  // OK when at least one model serves; the first error when none does. REQUIRES: Start returned OK.
  absl::Status WaitUntilLoaded();

  // Blocks until nothing runs any more, at most delay + timeout and a little.
  void Drain();

  int grpc_port() const;
  int metrics_port() const;  // 0 when there is no metrics endpoint
  std::string MetricsText() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace attend::server
