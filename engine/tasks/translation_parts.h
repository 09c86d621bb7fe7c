// Segments → requests, and results → the translation of a text: the parts of translate_task that
// hold no state.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/generation/generation_options.h"
#include "engine/scheduler/generation_request.h"
#include "engine/tasks/call_environment.h"
#include "engine/tasks/call_types.h"
#include "engine/tasks/forced_reading.h"
#include "engine/tasks/text_segments.h"

namespace attend {

// What every output of a call begins with.
struct TargetStart {
  std::string prefix;                           // the caller's; may be empty
  const TokenizerLanguage* language = nullptr;  // of a multilingual model
};

// The caller's options over the checkpoint's, and the tokens of the target prefix in them. Errors
// have field paths under `field` ("config.decoding").
absl::StatusOr<GenerationOptions> PrepareOptions(const TaskModel& model, const EngineLimits& limits,
                                                 const GenerationOverrides& overrides,
                                                 const TargetStart& start, std::string_view field);

// The options of one segment: unless the caller named a maximum, it writes at most 3 x input + 32
// tokens; the prefix is forced on the first segment only; samples of several segments are drawn
// apart.
struct SegmentPlace {
  size_t text = 0, segment = 0;  // which text of the call, and which segment of it
};
GenerationOptions OptionsOfSegment(const GenerationOptions& options,
                                   const GenerationOverrides& overrides, int64_t num_input_tokens,
                                   SegmentPlace place);

// One text on its way through translation.
struct TextWork {
  absl::Status status;  // of the item
  std::vector<TextSegment> segments;
  std::vector<std::string> layout;        // segments + 1
  std::vector<GenerationResult> results;  // per segment
  std::vector<std::unique_ptr<ForcedReading>>
      readings;  // per segment; empty when no attention is asked for
};

// One hypothesis of a whole text: the segments' own, decoded, with the layout between.
struct JoinedText {
  std::string text;
  std::vector<uint32_t> offsets;  // where each segment's part begins
  std::vector<DecodedText> parts;
};
// `rank` 0 is the best; segments with fewer hypotheses give their last. REQUIRES: all results are
// OK.
JoinedText JoinSegments(const TextWork& work, size_t rank, const Tokenizer& tokenizer);

struct TranslationShape {
  bool include_tokens = false, include_word_links = false, include_attention = false;
};
Translation AssembleTranslation(TextWork* work, const Tokenizer& tokenizer,
                                const TranslationShape& shape);

}  // namespace attend
