// attend-server: reads its options, serves until a signal asks it to stop, and ends in order.
#include <cstdio>
#include <variant>

#include "server/logging.h"
#include "server/server.h"
#include "server/server_options.h"
#include "server/shutdown_signal.h"

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

  Server server(options);
  const absl::Status started = server.Start([&signal](const absl::Status& loaded) {
    if (!loaded.ok()) signal.Request();  // nothing to serve
  });
  if (!started.ok()) {
    Log(LogLevel::kError, "cannot start", {{"error", std::string(started.message())}});
    return 1;
  }
  signal.Wait();
  server.Drain();
  const absl::Status loaded = server.WaitUntilLoaded();
  // Stopped before the first model was read: asked for, so no failure.
  return loaded.ok() || absl::IsCancelled(loaded) ? 0 : 1;
}
