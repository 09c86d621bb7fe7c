// civetweb, the HTTP server that prometheus-cpp itself builds on, used directly because
// prometheus-cpp's Exposer can serve nothing but metrics.
#include "server/metrics/metrics_endpoint.h"

#include <CivetServer.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace attend::server {
namespace {

void Answer(mg_connection* connection, int code, const char* type, const std::string& body) {
  mg_printf(
      connection,
      "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
      code, code == 200 ? "OK" : "Service Unavailable", type, body.size());
  mg_write(connection, body.data(), body.size());
}

class MetricsPage final : public CivetHandler {
 public:
  explicit MetricsPage(std::function<std::string()> text) : text_(std::move(text)) {}
  bool handleGet(CivetServer*, mg_connection* connection) override {
    try {
      Answer(connection, 200, "text/plain; version=0.0.4; charset=utf-8", text_());
    } catch (const std::exception&) {
      Answer(connection, 503, "text/plain", "out of memory\n");
    }
    return true;
  }

 private:
  std::function<std::string()> text_;
};

class ProbePage final : public CivetHandler {
 public:
  explicit ProbePage(std::function<bool()> is_well) : is_well_(std::move(is_well)) {}
  bool handleGet(CivetServer*, mg_connection* connection) override {
    const bool well = is_well_();
    Answer(connection, well ? 200 : 503, "text/plain", well ? "ok\n" : "not yet\n");
    return true;
  }

 private:
  std::function<bool()> is_well_;
};

void Connect(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  ::close(fd);
}

}  // namespace

struct MetricsEndpoint::State {
  explicit State(EndpointPages pages)
      : metrics(std::move(pages.metrics)),
        live(std::move(pages.is_live)),
        ready(std::move(pages.is_ready)) {}
  MetricsPage metrics;
  ProbePage live, ready;
  std::unique_ptr<CivetServer> server;  // last: stops before the pages go
  int port = 0;
};

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(const std::string& address,
                                                                        EndpointPages pages) {
  auto state = std::make_unique<State>(std::move(pages));
  // civetweb takes "host:port"; for all interfaces it wants the bare port.
  const std::string listening = absl::StartsWith(address, "0.0.0.0:") ? address.substr(8) : address;
  const std::vector<std::string> options = {
      "listening_ports",    listening, "num_threads",       "2",
      "request_timeout_ms", "10000",   "enable_keep_alive", "no"};
  try {
    state->server = std::make_unique<CivetServer>(options);
    for (const int port : state->server->getListeningPorts()) state->port = port;
    state->server->addHandler("/metrics", state->metrics);
    state->server->addHandler("/livez", state->live);
    state->server->addHandler("/readyz", state->ready);
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, " for metrics: ", error.what()));
  }
  return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(std::move(state)));
}

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}

// civetweb looks up only when somebody connects, or every two seconds; so somebody connects.
MetricsEndpoint::~MetricsEndpoint() {
  std::atomic<bool> stopped{false};
  std::thread knock([&stopped, port = state_->port] {
    for (int i = 0; i < 100 && !stopped; ++i) {
      Connect(port);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  state_->server.reset();
  stopped = true;
  knock.join();
}

int MetricsEndpoint::port() const { return state_->port; }

}  // namespace attend::server
