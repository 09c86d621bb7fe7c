// The only door into the engine. Text in, text and attention out; knows nothing of gRPC, protobuf or metrics.
//
// Threads: every method may be called from any thread. The asynchronous calls prepare on the calling thread (limits,
// sentence splitting, tokenising), run on the model's engine loop and finish on the engine's own workers; `done` is
// called exactly once, on any of these threads, possibly before the call returns. Cancelling is setting the flag in
// CallContext and calling Wake().
//
// Errors carry an ErrorDetail (base/error.h) with the reasons and field paths of docs/api.md.
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
#include "engine/checkpoint/weight_reader.h"      // LoadReport
#include "engine/generation/generation_options.h"
#include "engine/models/model_spec.h"
#include "engine/scheduler/engine_loop.h"         // SchedulerOptions
#include "engine/scheduler/engine_observer.h"
#include "engine/scheduler/generation_request.h"  // CancelFlag
#include "engine/tasks/attention_types.h"
#include "engine/tokenizers/tokenizer.h"          // TextSide

namespace attend {

struct EngineLimits {
  int max_texts = 64;                             // per call
  int64_t max_text_bytes = 256 * 1024;
  int max_segments = 2048;                        // per text
  int max_num_beams = 8;
  int64_t max_attention_bytes = 3 * 1024 * 1024;  // of a unary answer's weights
  int64_t max_attention_stream_bytes = int64_t{256} << 20;
};

struct EngineOptions {
  EngineLimits limits;
  SchedulerOptions scheduler;
  int num_workers = 1;                            // threads that finish calls
  // Makes the observer of a model when it is added; may be empty.
  std::function<std::unique_ptr<EngineObserver>(const std::string& model)> make_observer;
};

enum class ModelState { kLoading, kServing, kDraining, kFailed };
enum class OverflowPolicy { kSplit, kReject, kTruncate };

struct ModelInfo {
  std::string name;                               // "en-fr": without "models/"
  ModelState state = ModelState::kLoading;
  absl::Status error;                             // why kFailed
  std::string revision;
  std::string directory;
  std::string source_language, target_language;   // BCP-47, empty when unknown
  ModelSpec spec;
  int64_t max_input_tokens = 0, max_output_tokens = 0;
  std::string compute_type;                       // "float32"
  LoadReport load;
  std::vector<AttentionPreset> presets;
  absl::Time load_time;
};

// What goes with every call.
struct CallContext {
  absl::Time deadline = absl::InfiniteFuture();
  CancelFlag cancelled;                           // may be null
  uint64_t caller = 0;                            // for fairness; calls of one client connection share it
};

// Cost of a call, summed over its items (durations: the largest).
struct CallUsage {
  int64_t input_tokens = 0, output_tokens = 0;
  absl::Duration tokenize, queue, encode, decode, attention, detokenize;
  absl::Duration time_to_first_token;
  int peak_batch_items = 0;
};

struct TranslateInput {
  std::string model;                              // may be empty when the language pair names one model
  std::string source_language, target_language;   // as the caller wrote them; may be empty
  std::vector<std::string> texts;
  GenerationOverrides decoding;
  std::string target_prefix;
  OverflowPolicy overflow = OverflowPolicy::kSplit;
  bool include_word_links = false;
  bool include_tokens = false;
  std::optional<AttentionSelection> attention;    // of the best hypothesis, one result per sentence
  // Streaming (one text only): text that will not change any more, in order. Called before `done`, never after.
  std::function<void(const std::string& delta)> on_delta;
};

struct TranslatedHypothesis {
  std::string text;
  double score = 0;
  std::vector<AttendedToken> tokens;              // when asked for
  FinishReason finish_reason = FinishReason::kEos;
};

struct SentencePair {
  ByteSpan source, target;
  double score = 0;
};

struct Translation {
  std::string text;
  std::vector<TranslatedHypothesis> hypotheses;   // best first; [0].text == text
  std::vector<SentencePair> sentences;
  std::vector<AttendedWord> source_words, target_words;
  std::vector<WordLink> links;
  std::vector<AttentionResult> attentions;        // spans count in the whole text, not in the sentence
  int64_t truncated_input_tokens = 0;
  int64_t input_tokens = 0, output_tokens = 0;
  int num_segments = 0;
  absl::Duration duration;                        // of this item
};

struct TranslateOutcome {
  absl::Status status;                            // per item
  Translation translation;                        // when OK
};

struct TranslateOutput {
  std::string model, revision;
  std::vector<TranslateOutcome> outcomes;         // in the order of the texts
  CallUsage usage;
};

struct AttentionInput {
  std::string model;
  std::string source;
  std::optional<std::string> target;              // forced; the model writes it when absent
  AttentionSelection selection;
  int64_t max_bytes = 0;                          // of weights; above it ATTENTION_TOO_LARGE before computing. 0: the
                                                  // unary limit
};

struct AttentionOutput {
  AttentionResult attention;
  CallUsage usage;
};

struct AlignInput {
  std::string model, source, target;
  std::string source_language, target_language;
  float min_score = 0;
};

struct AlignOutput {
  std::vector<AttendedWord> source_words, target_words;
  std::vector<WordLink> links;                    // by target word, then source word
  CallUsage usage;
};

template <typename T>
using Done = std::function<void(absl::StatusOr<T>)>;

class Engine {
 public:
  explicit Engine(EngineOptions options);
  // Cancels what is left and joins all threads.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Registers a model as kLoading, so that calls for it say MODEL_LOADING; then Load reads it (slow) and it serves, or is
  // kFailed with its error kept. ALREADY_EXISTS for a name in use, INVALID_ARGUMENT for a name with a slash or empty.
  absl::Status Register(const std::string& name, const std::string& directory);
  absl::Status Load(const std::string& name);

  std::vector<ModelInfo> ListModels() const;      // by name
  absl::StatusOr<ModelInfo> GetModel(const std::string& name) const;   // NOT_FOUND / MODEL_NOT_FOUND

  void Translate(TranslateInput input, CallContext context, Done<TranslateOutput> done);
  void GetAttention(AttentionInput input, CallContext context, Done<AttentionOutput> done);
  void AlignWords(AlignInput input, CallContext context, Done<AlignOutput> done);

  // Tokenisation, at once on the calling thread.
  absl::StatusOr<std::vector<AttendedToken>> Tokenize(const std::string& model, const std::string& text,
                                                      bool omit_special) const;
  absl::StatusOr<std::string> Detokenize(const std::string& model, const std::vector<int32_t>& ids,
                                         bool keep_special) const;
  static std::vector<ByteSpan> SplitSentences(const std::string& text, const std::string& language);

  // Makes cancel flags just set seen now.
  void Wake();
  // Refuses new calls (UNAVAILABLE / SHUTTING_DOWN), lets accepted ones end, cancels the rest when time is over.
  void Drain(absl::Duration timeout);
  // The longest time that a model's loop has not gone round (liveness).
  absl::Duration SinceLastTick() const;

  const EngineOptions& options() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace attend
