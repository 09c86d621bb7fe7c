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
#include <string_view>
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
      code,
      code == 200   ? "OK"
      : code == 404 ? "Not Found"
                    : "Service Unavailable",
      type, body.size());
  mg_write(connection, body.data(), body.size());
}

// civetweb also asks the page for everything below its path.
bool AnswerOtherPath(mg_connection* connection, const char* path) {
  const mg_request_info* request = mg_get_request_info(connection);
  if (request->local_uri != nullptr && std::string_view(request->local_uri) == path) return false;
  Answer(connection, 404, "text/plain", "there is no such page\n");
  return true;
}

class MetricsPage final : public CivetHandler {
 public:
  static constexpr char kPath[] = "/metrics";
  explicit MetricsPage(std::function<std::string()> text) : text_(std::move(text)) {}
  bool handleGet(CivetServer*, mg_connection* connection) override {
    if (AnswerOtherPath(connection, kPath)) return true;
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
  ProbePage(const char* path, std::function<bool()> is_well)
      : path_(path), is_well_(std::move(is_well)) {}
  const char* path() const { return path_; }
  bool handleGet(CivetServer*, mg_connection* connection) override {
    if (AnswerOtherPath(connection, path_)) return true;
    const bool well = is_well_();
    Answer(connection, well ? 200 : 503, "text/plain", well ? "ok\n" : "not yet\n");
    return true;
  }

 private:
  const char* const path_;
  std::function<bool()> is_well_;
};

template <typename Address>
void Connect(const Address& address, int family) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  ::close(fd);
}

// A knock on the door, whichever protocol it is bound for.
void Knock(int port) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(static_cast<uint16_t>(port));
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Connect(four, AF_INET);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(static_cast<uint16_t>(port));
  six.sin6_addr = in6addr_loopback;
  Connect(six, AF_INET6);
}

}  // namespace

struct MetricsEndpoint::State {
  explicit State(EndpointPages pages)
      : metrics(std::move(pages.metrics)),
        live("/livez", std::move(pages.is_live)),
        ready("/readyz", std::move(pages.is_ready)) {}
  MetricsPage metrics;
  ProbePage live, ready;
  std::unique_ptr<CivetServer> server;  // last: stops before the pages go
  int port = 0;
};

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(const std::string& address,
                                                                        EndpointPages pages) {
  if (address.find('[') != std::string::npos && mg_check_feature(MG_FEATURES_IPV6) == 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", address,
        " for metrics: the HTTP library of this build has no IPv6; give an address such as "
        "127.0.0.1:9464 or 0.0.0.0:9464"));
  }
  auto state = std::make_unique<State>(std::move(pages));
  // civetweb takes "host:port"; for all interfaces it wants the bare port.
  const std::string listening = absl::StartsWith(address, "0.0.0.0:") ? address.substr(8) : address;
  // Each connection holds a thread until its request is there or the timeout is over: many threads
  // and a short time, so that connections that say nothing do not keep a probe waiting.
  const std::vector<std::string> options = {
      "listening_ports",    listening, "num_threads",       "24",
      "request_timeout_ms", "3000",    "enable_keep_alive", "no"};
  try {
    state->server = std::make_unique<CivetServer>(options);
    for (const int port : state->server->getListeningPorts()) state->port = port;
    state->server->addHandler(MetricsPage::kPath, state->metrics);
    state->server->addHandler(state->live.path(), state->live);
    state->server->addHandler(state->ready.path(), state->ready);
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
      Knock(port);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  state_->server.reset();
  stopped = true;
  knock.join();
}

int MetricsEndpoint::port() const { return state_->port; }

}  // namespace attend::server
