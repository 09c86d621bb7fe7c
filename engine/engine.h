// The only door into the engine. Text in, text and attention out; knows nothing of gRPC, protobuf
// or metrics.
//
// Threads: every method may be called from any thread. The asynchronous calls prepare on the
// calling thread (limits, sentence splitting, tokenising; much text on a thread of the engine's),
// run on the model's engine loop and finish on the engine's own workers; `done` is called exactly
// once, on any of these threads, possibly before the call returns. Cancelling is setting the flag
// in CallContext and calling Wake().
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
#include "engine/checkpoint/cache_folder.h"
#include "engine/checkpoint/weight_reader.h"  // LoadReport
#include "engine/generation/generation_options.h"
#include "engine/models/model_options.h"  // ShortlistChoice
#include "engine/models/model_spec.h"
#include "engine/scheduler/engine_loop.h"  // SchedulerOptions
#include "engine/scheduler/engine_observer.h"
#include "engine/scheduler/generation_request.h"  // CancelFlag
#include "engine/scheduler/response_sharing.h"    // ResponseSharingOptions
#include "engine/tasks/attention_types.h"
#include "engine/tasks/call_types.h"      // inputs and outputs of the calls, EngineLimits
#include "engine/tasks/language_codes.h"  // LanguagePair
#include "engine/tasks/summary_types.h"
#include "engine/tensor/compute_type.h"
#include "engine/tokenizers/tokenizer.h"  // TextSide

namespace attend {

struct EngineOptions {
  EngineLimits limits;
  SchedulerOptions scheduler;
  CacheChoice cache;  // where what is made of model folders is kept; by default nowhere
  ResponseSharingOptions sharing;  // of each model
  int num_workers = 1;             // threads that finish calls
  // Makes the observer of a model when it is added; may be empty.
  std::function<std::unique_ptr<EngineObserver>(const std::string& model)> make_observer;
};

// What may be chosen for each model.
struct ModelChoices {
  std::optional<ComputeType> compute_type = ComputeType::kFloat32;  // nullopt: auto
  ShortlistChoice shortlist;
};

enum class ModelState { kLoading, kServing, kDraining, kFailed };

struct ModelInfo {
  std::string name;  // "en-fr": without "models/"
  ModelState state = ModelState::kLoading;
  absl::Status error;  // why kFailed
  std::string revision;
  std::string directory;
  std::vector<LanguagePair> language_pairs;  // BCP-47; unknown sides are empty
  std::vector<std::string> language_codes;   // of a multilingual model: any pair of these
  ModelSpec spec;
  int64_t max_input_tokens = 0, max_output_tokens = 0;
  std::string compute_type;      // "float32"; empty until it is loaded
  int engines = 0, threads = 0;  // loops that serve it, threads of each
  LoadReport load;
  std::vector<AttentionPreset> presets;
  absl::Time load_time;
};

class Engine {
 public:
  explicit Engine(EngineOptions options);
  // Cancels what is left and joins all threads.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Registers a model as kLoading, so that calls for it say MODEL_LOADING; then Load reads it
  // (slow) and it serves, or is kFailed with its error kept. ALREADY_EXISTS for a name in use,
  // INVALID_ARGUMENT for a name with a slash or empty.
  absl::Status Register(const std::string& name, const std::string& directory,
                        const ModelChoices& choices = ModelChoices());
  absl::Status Load(const std::string& name);

  std::vector<ModelInfo> ListModels() const;                          // by name
  absl::StatusOr<ModelInfo> GetModel(const std::string& name) const;  // NOT_FOUND / MODEL_NOT_FOUND

  void Translate(TranslateInput input, CallContext context, Done<TranslateOutput> done);
  void GetAttention(AttentionInput input, CallContext context, Done<AttentionOutput> done);
  void QueryAttention(QueryAttentionInput input, CallContext context,
                      Done<QueryAttentionOutput> done);
  void Summarize(SummarizeInput input, CallContext context, Done<SummarizeOutput> done);
  void AlignWords(AlignInput input, CallContext context, Done<AlignOutput> done);

  // Tokenisation, at once on the calling thread.
  absl::StatusOr<std::vector<AttendedToken>> Tokenize(const std::string& model,
                                                      const std::string& text,
                                                      bool omit_special) const;
  absl::StatusOr<std::string> Detokenize(const std::string& model, const std::vector<int32_t>& ids,
                                         bool keep_special) const;
  static std::vector<ByteSpan> SplitSentences(const std::string& text, const std::string& language);

  // Makes cancel flags just set seen now.
  void Wake();
  // Refuses new calls (UNAVAILABLE / SHUTTING_DOWN), lets accepted ones end, cancels the rest when
  // time is over.
  void Drain(absl::Duration timeout);
  // The longest time that a model's loop has not gone round (liveness).
  absl::Duration SinceLastTick() const;

  const EngineOptions& options() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace attend
