// Puts load on a running server over gRPC and notes when every call was answered.
#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "attend/v1/translation.grpc.pb.h"

namespace attend::bench {

// One text to translate.
struct ServedText {
  std::string text;
  int target_tokens = 0;  // exactly so many; 0: as the model likes
};

struct LoadOptions {
  std::string address;
  std::string model;  // resource name; empty: the only one there is
  int beam = 1;
  int connections = 8;  // a server takes only so many calls at once on each
  double deadline_seconds = 120;
  int attention_every = 0;  // every so many calls one asks for attention, too; 0: none
};

// What came of one call.
struct CallRecord {
  double latency = 0;      // seconds from the planned arrival to the answer
  double lateness = 0;     // seconds from the planned arrival to the sending
  std::string error;       // name of the status, "item:" before it if only the text failed; "": ok
  bool attention = false;  // asked for attention
  int output_tokens = 0;
  double engine_seconds = 0;  // steps of encoder and decoder, as the server reports them
  double queue_seconds = 0, server_seconds = 0;
  int peak_batch = 0;
  // Of the health check that followed it, where one did (RunWithHealthChecks).
  std::optional<double> health_check_seconds;  // from asking to the answer
  std::string health_check_error;              // name of the status; "": ok, or not asked
};

struct LoadOutcome {
  double wall_seconds = 0;  // from the first planned arrival to the last answer
  std::vector<CallRecord> calls;
};

class ServingLoad {
 public:
  // Waits up to half a minute until the server serves the model; UNAVAILABLE when it does not,
  // NOT_FOUND when it has no such model. `texts` are sent in turn.
  static absl::StatusOr<std::unique_ptr<ServingLoad>> Connect(const LoadOptions& options,
                                                              std::vector<ServedText> texts);

  const std::string& model() const { return options_.model; }
  const std::string& compute_type() const { return compute_type_; }

  // Sends a call at each of these times (seconds from now) and waits for all answers.
  LoadOutcome RunOpen(const std::vector<double>& arrivals);
  // So many callers, each with one call at a time, until the time is over or `max_calls` were sent
  // (0: no limit). Planned arrival is when the caller is free.
  LoadOutcome RunClosed(int callers, double seconds, size_t max_calls);
  // One caller, so many calls, each answered one followed by a health check on the same connection.
  // Before it both sides are idle for as long as the engine computed in the call, so that the check
  // finds cores and threads as much asleep as the call's answer did: what it takes is the least
  // that any call costs here at this pace. wall_seconds are those of the calls alone.
  LoadOutcome RunWithHealthChecks(size_t calls);

 private:
  struct Call;
  struct Progress;

  ServingLoad() = default;
  absl::Status FindModel();  // UNAVAILABLE while it is being loaded
  // Sends the index-th call. `done` is called on a thread of gRPC's.
  void Send(size_t index, std::chrono::steady_clock::time_point planned,
            std::function<void(CallRecord)> done);
  // Asks whether the server is well, on the connection that the index-th call takes.
  void CheckHealth(size_t index, CallRecord* record);

  LoadOptions options_;
  std::string compute_type_;
  std::vector<ServedText> texts_;
  std::vector<std::unique_ptr<attend::v1::TranslationService::Stub>> stubs_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
};

}  // namespace attend::bench
