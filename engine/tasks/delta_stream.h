// Tokens as they settle → text that will not change any more. The pieces put one after the other
// are the whole translation, layout included.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

// How much of `text`, decoded from tokens that are settled but not all there are, can be relied on.
// Held back: the last word (more tokens may lengthen it, and joining may take back the space before
// it), and characters that are not whole. A word without end is let go but for its tail.
size_t SettledBytes(std::string_view text);

class DeltaStream {
 public:
  struct Options {
    const Tokenizer* tokenizer = nullptr;  // borrowed
    std::vector<std::string> layout;       // before, between and after the segments
    std::function<void(const std::string&)> on_delta;
    // Gets Deliver run soon, on a thread that may take its time.
    std::function<void(std::function<void()>)> post;
  };
  static std::shared_ptr<DeltaStream> Create(Options options);
  ~DeltaStream();

  // Newly settled tokens of a segment. Quick; from the engine loop's thread.
  void OnSettled(size_t segment, absl::Span<const int32_t> tokens);
  // All tokens of a segment's best hypothesis. Quick.
  void OnSegmentDone(size_t segment, absl::Span<const int32_t> tokens);
  // Delivers what is left of a translation that is complete, and nothing after. Segments that are
  // not done stay out.
  void Close(bool deliver_rest);

 private:
  struct State;
  explicit DeltaStream(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace attend
