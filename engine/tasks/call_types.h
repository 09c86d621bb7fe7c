// What calls of the engine take and give, in the engine's own words. engine/engine.h, the door,
// includes this; the tasks implement it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/base/span.h"
#include "engine/generation/generation_options.h"
#include "engine/generation/search_state.h"       // FinishReason
#include "engine/scheduler/generation_request.h"  // CancelFlag
#include "engine/tasks/attention_types.h"

namespace attend {

struct EngineLimits {
  int max_texts = 64;  // per call
  int64_t max_text_bytes = 256 * 1024;
  int max_segments = 2048;  // per text
  // Of a text that is summarised: documents are longer than what anybody translates in one call.
  int64_t max_document_bytes = int64_t{2} << 20;
  int max_document_sentences = 40000;  // whose scores fit into an answer of 4 MiB
  int max_num_beams = 8;
  int64_t max_attention_bytes = 3 * 1024 * 1024;  // of a unary answer's weights
  int64_t max_attention_stream_bytes = int64_t{256} << 20;
  // Of all calls together: attention that is being folded, or answered and not let go yet.
  int64_t attention_memory_bytes = int64_t{1} << 30;
};

enum class OverflowPolicy { kSplit, kReject, kTruncate };

// Cost of a call, summed over its items (durations: the largest).
struct CallUsage {
  int64_t input_tokens = 0, output_tokens = 0;
  absl::Duration tokenize, queue, encode, decode, attention, detokenize;
  absl::Duration time_to_first_token;
  int peak_batch_items = 0;
  // Segments that were not computed for this call: ResponseOrigin. Their tokens count above.
  int64_t cached_segments = 0, merged_segments = 0;
};

// What is known of a call however it ends; complete before `done` is called, and not touched after.
struct CallReport {
  std::string model;  // the one that was chosen; empty when none was
  CallUsage usage;    // so far
};

// What goes with every call.
struct CallContext {
  absl::Time deadline = absl::InfiniteFuture();
  CancelFlag cancelled;                // may be null
  uint64_t caller = 0;                 // for fairness; calls of one client connection share it
  std::shared_ptr<CallReport> report;  // may be null; read it in `done`
};

// Languages of inputs are codes as the caller wrote them; the engine spells them canonically
// (ParseLanguageCode) before a task sees them.
struct TranslateInput {
  std::string model;  // may be empty when the language pair names one model
  std::string source_language, target_language;  // may be empty
  std::vector<std::string> texts;
  GenerationOverrides decoding;
  std::string target_prefix;
  OverflowPolicy overflow = OverflowPolicy::kSplit;
  bool include_word_links = false;
  bool include_tokens = false;
  std::optional<AttentionSelection> attention;  // of the best hypothesis, one result per sentence
  // Streaming (one text only): text that will not change any more, in order. Called before `done`,
  // never after.
  std::function<void(const std::string& delta)> on_delta;
};

struct TranslatedHypothesis {
  std::string text;
  double score = 0;
  std::vector<AttendedToken> tokens;  // when asked for
  FinishReason finish_reason = FinishReason::kEos;
};

struct SentencePair {
  ByteSpan source, target;
  double score = 0;
};

struct Translation {
  std::string text;
  std::vector<TranslatedHypothesis> hypotheses;  // best first; [0].text == text
  std::vector<SentencePair> sentences;
  std::vector<AttendedWord> source_words, target_words;
  std::vector<WordLink> links;
  std::vector<AttentionResult> attentions;  // spans count in the whole text, not in the sentence
  int64_t truncated_input_tokens = 0;
  int64_t input_tokens = 0, output_tokens = 0;
  int num_segments = 0;
  absl::Duration duration;  // of this item
};

struct TranslateOutcome {
  absl::Status status;      // per item
  Translation translation;  // when OK
};

struct TranslateOutput {
  std::string model, revision;
  std::vector<TranslateOutcome> outcomes;  // in the order of the texts
  CallUsage usage;
  std::shared_ptr<const void> memory;  // what the attention counts for as long as this is held
};

struct AttentionInput {
  std::string model;
  std::string source;
  std::string source_language, target_language;  // may be empty
  std::optional<std::string> target;             // forced; the model writes it when absent
  AttentionSelection selection;
  int64_t max_bytes = 0;  // of weights; above it ATTENTION_TOO_LARGE before computing. 0: the
                          // unary limit
};

struct AttentionOutput {
  AttentionResult attention;
  CallUsage usage;
  std::shared_ptr<const void> memory;  // as in TranslateOutput
};

struct QueryAttentionInput {
  std::string model;  // may be empty: the loaded model whose preset has the best figure
  std::string source;
  std::string source_language;  // may be empty
  ByteSpan query;
  std::vector<ByteSpan> candidates;  // empty: words
  std::string preset;                // empty, without heads: "coreference"
  std::vector<HeadIndex> heads;      // instead of a preset, with a kind and a direction
  bool has_head_list = false;
  AttentionKind kind = AttentionKind::kEncoderSelf;
  AttentionDirection direction = AttentionDirection::kFromQuery;
  int max_results = 0;  // 0: five
  bool include_function_words = false;
};

struct QueryAttentionOutput {
  std::vector<QueryAnswer> answers;  // best first
  std::string model, revision;
  AttentionPreset preset;  // what was used; its name is empty for explicit heads
  ByteSpan window;         // of the source: what was read, all of it unless it is too long
  CallUsage usage;
};

struct AlignInput {
  std::string model, source, target;
  std::string source_language, target_language;
  float min_score = 0;
};

struct AlignOutput {
  std::vector<AttendedWord> source_words, target_words;
  std::vector<WordLink> links;  // by target word, then source word
  CallUsage usage;
};

template <typename T>
using Done = std::function<void(absl::StatusOr<T>)>;

}  // namespace attend
