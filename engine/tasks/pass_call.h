// What every call has that is one forced pass: surroundings, an answer in the making, and one way
// to end.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "engine/tasks/call_environment.h"
#include "engine/tasks/forced_reading.h"
#include "engine/tasks/preparation.h"
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

// A call that prepares, runs its one pass and finishes. Made as a shared_ptr; lives until it has
// ended.
template <typename Output>
class OnePassCall : protected PassCall<Output>,
                    public std::enable_shared_from_this<OnePassCall<Output>> {
 public:
  virtual ~OnePassCall() = default;
  // Prepares on the calling thread or, when there is much text, on the engine's.
  void Start(size_t num_bytes) {
    PrepareInSteps(this->environment_, num_bytes, [self = this->shared_from_this()] {
      self->Begin();
      return false;
    });
  }

 protected:
  OnePassCall(CallEnvironment environment, Done<Output> done)
      : PassCall<Output>(std::move(environment), std::move(done)) {}

  // Checks everything and sets reading_.
  virtual absl::Status Prepare() = 0;
  // Ends the call with what the pass gave.
  virtual void Finish(absl::Status pass) = 0;

 private:
  void Begin() {
    absl::Status status = Prepare();
    if (!status.ok()) {
      this->End(std::move(status));
      return;
    }
    RunPass(
        this->environment_, this->reading_.get(), GroupPatience::kRefuse, &this->output_.usage,
        [self = this->shared_from_this()](absl::Status pass) { self->Finish(std::move(pass)); });
  }
};

}  // namespace attend
