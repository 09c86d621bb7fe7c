// Summaries as a caller asks for them and gets them. All spans are bytes of the caller's own text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/base/span.h"
#include "engine/generation/generation_options.h"
#include "engine/generation/search_state.h"  // FinishReason
#include "engine/tasks/attention_types.h"
#include "engine/tasks/call_types.h"

namespace attend {

enum class SummaryMode { kExtractive, kAbstractive };

// What kind of text a summary is of. kAuto: decided by the text (tasks/summary/text_kind.h).
enum class TextKind { kAuto, kGeneral, kNews, kPaper, kReviews };

// How much of a text an extractive summary keeps; at most one is set. None: a third of the
// sentences, at most 10.
struct SummaryBudget {
  std::optional<int64_t> sentences;   // at least 1
  std::optional<double> ratio;        // of the sentences, in (0, 1]; at least one sentence
  std::optional<int64_t> characters;  // Unicode characters of whole sentences; may keep none
};

struct SummarizeInput {
  std::string model;  // may be empty: the engine's choice for the mode
  SummaryMode mode = SummaryMode::kExtractive;
  std::vector<std::string> texts;
  std::string language;  // as languages of TranslateInput; may be empty

  // Extractive.
  TextKind text_kind = TextKind::kAuto;
  SummaryBudget budget;
  std::optional<double> redundancy_penalty;  // 0 to 1
  bool include_sentence_attention = false;

  // Abstractive.
  GenerationOverrides decoding;
  std::string target_prefix;
  OverflowPolicy overflow = OverflowPolicy::kSplit;
  bool omit_supports = false;  // saves the pass that says what written sentences lean on

  // Streaming (one text only), as in TranslateInput; never called for extractive summaries.
  std::function<void(const std::string& delta)> on_delta;
};

// One signal behind a sentence's score, in standard deviations from the mean of its text.
struct ScorePart {
  const char* name = "";  // a literal: "vocabulary", "attention", "position", ...
  double value = 0;
};

struct ScoredSentence {
  ByteSpan span;
  double score = 0;  // 0 or more; those of a text sum to one
  int rank = 0;      // 1 is the most important
  bool selected = false;
  std::vector<ScorePart> parts;
};

// What a written sentence rests on: sentences of the source, strongest first, and each one's share
// of the written sentence's cross attention.
struct SentenceSupport {
  ByteSpan summary;  // in the summary
  std::vector<int> sentences;
  std::vector<double> weights;  // same length
};

struct Summary {
  std::string text;
  std::vector<ScoredSentence> sentences;  // of the source; abstractive: spans only
  std::optional<AttentionMatrix> sentence_attention;
  std::vector<SentenceSupport> supports;            // abstractive
  TextKind text_kind = TextKind::kAuto;             // extractive: what the text was taken for
  FinishReason finish_reason = FinishReason::kEos;  // abstractive
  int64_t truncated_input_tokens = 0;
  int64_t input_tokens = 0, output_tokens = 0;
  int num_segments = 0;  // passes of the model
  absl::Duration duration;
};

struct SummarizeOutcome {
  absl::Status status;  // per item
  Summary summary;      // when OK
};

struct SummarizeOutput {
  std::string model, revision;
  std::vector<SummarizeOutcome> outcomes;  // in the order of the texts
  CallUsage usage;
  std::shared_ptr<const void> memory;  // as in TranslateOutput
};

}  // namespace attend
