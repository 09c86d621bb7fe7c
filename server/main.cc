// attend-server: reads its options, serves until a signal asks it to stop, and ends in order.
#include <cstdio>
#include <cstdlib>
#include <variant>

#include "server/logging.h"
#include "server/server.h"
#include "server/server_options.h"
#include "server/shutdown_signal.h"

namespace {

// Ends the process at once, with the cause, if there is one, as the last line of the log.
[[noreturn]] void End(int code, const char* message, const absl::Status& cause) {
  using namespace attend::server;  // NOLINT: everything here is ours
  if (!cause.ok()) Log(LogLevel::kError, message, {{"error", std::string(cause.message())}});
  FlushLogs();
  std::_Exit(code);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace attend::server;  // NOLINT: everything here is ours
  ShutdownSignal signal;           // before any thread starts

  auto parsed = ParseServerOptions(argc, argv);
  if (!parsed.ok()) {
    std::fprintf(stderr, "attend-server: %s\n", std::string(parsed.status().message()).c_str());
    return 2;
  }
  if (const auto* print = std::get_if<PrintAndExit>(&*parsed)) {
    std::fputs(print->text.c_str(), stdout);
    return 0;
  }
  const auto& options = std::get<ServerOptions>(*parsed);
  SetUpLogging(options.log_level, options.log_format);

  // Never destroyed: once drained there is nothing to save, and destructors would only wait for
  // strangers' idle connections.
  auto* const server = new Server(options);
  absl::Status load_failure;  // written before the request, read after it
  const absl::Status started = server->Start([&](const absl::Status& loaded) {
    if (loaded.ok() || absl::IsCancelled(loaded)) return;
    load_failure = loaded;
    signal.Request();  // nothing to serve
  });
  if (!started.ok()) End(1, "cannot start", started);
  const ShutdownSignal::Cause cause = signal.Wait();
  if (cause == ShutdownSignal::Cause::kRequest) End(1, "no model could be loaded", load_failure);
  server->Drain();
  End(0, "", absl::OkStatus());
}
