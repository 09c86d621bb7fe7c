// What every call has that is one forced pass: surroundings, an answer in the making, and one way
// to end.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "engine/tasks/call_environment.h"
#include "engine/tasks/forced_reading.h"
#include "engine/tasks/request_group.h"

namespace attend {

// Sends the forced pass of `reading`, which must live until `then` is called with the pass's own
// status, whether it or the whole call failed. Adds its cost to `usage` before that.
void RunPass(const CallEnvironment& environment, ForcedReading* reading, GroupPatience patience,
             CallUsage* usage, std::function<void(absl::Status)> then);

template <typename Output>
class PassCall {
 protected:
  PassCall(CallEnvironment environment, Done<Output> done)
      : environment_(std::move(environment)), done_(std::move(done)) {}

  void End(absl::Status status) {
    environment_.Report(output_.usage);
    if (status.ok()) {
      done_(std::move(output_));
    } else {
      done_(std::move(status));
    }
  }

  const CallEnvironment environment_;
  std::unique_ptr<ForcedReading> reading_;
  Output output_;

 private:
  Done<Output> done_;
};

}  // namespace attend
