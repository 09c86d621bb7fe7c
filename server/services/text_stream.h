// A stream of one text: deltas as they settle, then the result. Deltas that a slow reader has not
// taken yet are joined into one, so a stream never holds more than its own text.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/services/outcomes.h"
#include "server/services/stream_call.h"

namespace attend::server {

// Response: a message with a TextDelta `delta`. Output: what the engine answers, with one outcome.
template <typename Response, typename Output>
class TextStream : public StreamSource {
 public:
  explicit TextStream(RpcScope* scope) : scope_(scope) {}

  void Append(const std::string& delta) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pending_ += delta;
  }

  void Done(absl::StatusOr<Output> output) {
    const std::lock_guard<std::mutex> lock(mutex_);
    output_ = std::move(output);
    engine_done_ = true;
    EngineEnded(output_, scope_);
  }

  void Ending(const absl::Status& status) final {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (status.ok()) Count(*output_);
  }

  Next Take(std::unique_ptr<google::protobuf::MessageLite>* message, absl::Status* status) final {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!pending_.empty()) {
      auto response = std::make_unique<Response>();
      response->mutable_delta()->set_text(std::exchange(pending_, {}));
      *message = std::move(response);
      return Next::kMessage;
    }
    if (!engine_done_) return Next::kNothingYet;
    if (result_sent_) return Next::kEnd;
    result_sent_ = true;
    *status = output_.ok() ? output_->outcomes.at(0).status : output_.status();
    if (!status->ok()) return Next::kEnd;
    auto response = std::make_unique<Response>();
    WriteResult(*output_, response.get());
    *message = std::move(response);
    return Next::kMessage;
  }

  bool engine_done() const final {
    const std::lock_guard<std::mutex> lock(mutex_);
    return engine_done_;
  }

 protected:
  RpcScope& scope() const { return *scope_; }

 private:
  // The last message: the answer and its cost.
  virtual void WriteResult(const Output& output, Response* response) = 0;
  // The answer was sent.
  virtual void Count(const Output& output) = 0;

  RpcScope* const scope_;
  mutable std::mutex mutex_;
  std::string pending_;
  absl::StatusOr<Output> output_ = absl::UnknownError("not done");
  bool engine_done_ = false, result_sent_ = false;
};

}  // namespace attend::server
