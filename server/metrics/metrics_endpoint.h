// Plain HTTP beside gRPC: /metrics for Prometheus, /livez and /readyz for probes that cannot speak
// gRPC.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace attend::server {

// What the pages say; called on the endpoint's threads.
struct EndpointPages {
  std::function<std::string()> metrics;
  std::function<bool()> is_live;
  std::function<bool()> is_ready;
};

class MetricsEndpoint {
 public:
  // Binds HOST:PORT (port 0: any free one). UNAVAILABLE when that fails.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const std::string& address,
                                                                EndpointPages pages);
  ~MetricsEndpoint();

  int port() const;

 private:
  struct State;
  explicit MetricsEndpoint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace attend::server
