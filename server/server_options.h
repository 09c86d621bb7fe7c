// Everything a person may choose when starting the server: each flag has an environment variable
// (--queue-tokens is ATTEND_QUEUE_TOKENS), the flag wins. Parsed once, then handed down as values.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/engine.h"  // EngineLimits, SchedulerOptions
#include "server/logging.h"
#include "server/model_source.h"

namespace attend::server {

struct RpcOptions {
  int max_message_bytes = 4 * 1024 * 1024;  // a request; responses are built to stay below it too
  int max_concurrent_streams = 100;         // per connection
  absl::Duration connection_idle = absl::Minutes(10);
  absl::Duration connection_age = absl::Minutes(30);
  absl::Duration connection_grace = absl::Seconds(30);
  absl::Duration default_deadline = absl::Seconds(60);
  absl::Duration slow_reader_timeout = absl::Seconds(30);
  absl::Duration keepalive_time = absl::Minutes(1);  // between pings on a silent connection
  absl::Duration keepalive_timeout = absl::Seconds(20);
  absl::Duration least_ping_interval = absl::Seconds(5);  // what clients may do
  bool reflection = true;
};

struct ServerOptions {
  std::string listen = "0.0.0.0:50051";          // port 0: any free one
  std::string metrics_address = "0.0.0.0:9464";  // empty: no metrics endpoint
  std::string port_file;                         // chosen ports are written here; empty: nowhere
  std::vector<ModelSource> models;               // names are distinct
  EngineLimits limits;
  SchedulerOptions scheduler;
  ResponseSharingOptions sharing;
  int num_workers = 1;
  CacheChoice cache;  // unlike the command line, nothing is kept unless it is asked for
  RpcOptions rpc;
  absl::Duration drain_delay = absl::ZeroDuration();
  absl::Duration drain_timeout = absl::Seconds(30);
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

// What the command line asked for: to serve, or to print something and end.
struct PrintAndExit {
  std::string text;
};

// INVALID_ARGUMENT with a message for the terminal when a flag or variable is wrong, or no model is
// named. Reads the environment and, for --models-dir, the folder.
absl::StatusOr<std::variant<ServerOptions, PrintAndExit>> ParseServerOptions(
    int argc, const char* const* argv);

}  // namespace attend::server
