// What calls that write text have in common, translations and written summaries: texts are cut into
// segments, every segment is a search, streams get text as it settles, and where attention is asked
// for a forced pass over each segment and its best hypothesis follows. So attention is right under
// beam search too, and sequences that nobody looks at never leave the fast path.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/generation/generation_options.h"
#include "engine/tasks/call_environment.h"
#include "engine/tasks/call_types.h"
#include "engine/tasks/delta_stream.h"
#include "engine/tasks/translation_parts.h"

namespace attend {

struct WritingInput {
  std::vector<std::string> texts;
  GenerationOverrides decoding;
  std::function<void(const std::string& delta)> on_delta;  // one text only
};

// One call in flight; lives until it has ended. Each hook is called on one thread at a time.
class WritingCall : public std::enable_shared_from_this<WritingCall> {
 public:
  virtual ~WritingCall() = default;
  // Prepares on the calling thread or, when there is much text, on the engine's.
  void Start();

 protected:
  WritingCall(CallEnvironment environment, WritingInput input)
      : environment_(std::move(environment)),
        model_(environment_.model),
        input_(std::move(input)) {}

  // Everything that is wrong with the call as a whole; sets options_.
  virtual absl::Status Prepare() = 0;
  // Cuts one text; an error stays with it. `field` is its path in the request.
  virtual absl::Status Cut(size_t index, const std::string& field, TextWork* work) = 0;
  // Whether forced passes follow the searches.
  virtual bool needs_reading() const = 0;
  // Whether an answer without them is better than none where memory for attention is short.
  virtual bool reading_is_optional() const { return false; }
  // Says what of a text's readings is watched. Gives the bytes that takes, or why this text fails.
  virtual absl::StatusOr<int64_t> Watch(TextWork* work) = 0;
  // All is computed: answers. The memory that attention may take is kept until the argument goes.
  virtual void Finish(std::shared_ptr<const void> memory) = 0;
  // The call as a whole has failed.
  virtual void Fail(absl::Status status) = 0;

  // Ends the stream, then reports what the call has cost. Before the answer.
  void Close();

  const CallEnvironment environment_;
  TaskModel model_;
  WritingInput input_;
  GenerationOptions options_;
  std::vector<TextWork> works_;  // one a text
  CallUsage usage_;

 private:
  bool CutNext();
  void Generate();
  void OpenStream();
  void OnGenerated(const absl::Status& status, std::vector<GenerationResult> results);
  void Read();
  void MakeReadings(const std::string& text, TextWork* work) const;
  void OnRead(const absl::Status& status, const std::vector<GenerationResult>& results);
  void End(const absl::Status& status);

  size_t num_cut_ = 0;  // of works_
  std::shared_ptr<DeltaStream> stream_;
  std::shared_ptr<const void> memory_;  // that attention may take
};

}  // namespace attend
