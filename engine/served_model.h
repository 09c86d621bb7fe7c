// One model as it is served: its folder read and checked, its tokenizer, its attention presets and
// the loops that run it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/checkpoint/cache_folder.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/checkpoint/weight_reader.h"  // LoadReport
#include "engine/generation/generation_options.h"
#include "engine/models/model.h"
#include "engine/scheduler/engine_group.h"
#include "engine/scheduler/engine_observer.h"
#include "engine/scheduler/engine_shape.h"
#include "engine/scheduler/response_sharing.h"
#include "engine/tasks/call_environment.h"
#include "engine/tasks/model_languages.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

// Immutable once loaded, but for the loops' own state. Held by shared_ptr: calls that run keep it
// alive.
class ServedModel {
 public:
  struct Options {
    std::string name, directory;
    SchedulerOptions scheduler;
    ResponseSharingOptions sharing;
    int max_num_beams = 8;
    std::optional<ComputeType> compute_type = ComputeType::kFloat32;  // nullopt: auto
    ShortlistChoice shortlist;
    CacheChoice cache;
    std::unique_ptr<EngineObserver> observer;  // may be null
  };

  // Reads the folder, checks that its parts fit together, starts the loops and warms each of them
  // up with one tiny sentence.
  static absl::StatusOr<std::shared_ptr<ServedModel>> Load(Options options);

  // What a call needs, kept alive by it.
  static TaskModel Borrow(const std::shared_ptr<ServedModel>& model);

  const std::string& directory() const { return directory_; }
  const std::string& revision() const { return revision_; }
  const LoadReport& report() const { return report_; }
  ComputeType compute_type() const { return model_->compute_type(); }
  const ModelSpec& spec() const { return model_->spec(); }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const std::vector<AttentionPreset>& presets() const { return presets_; }
  const ModelLanguages& languages() const { return languages_; }
  int64_t max_input_tokens() const;
  int64_t max_output_tokens() const;
  // Makes cancel flags just set seen now.
  void Wake();
  // Joins the threads. REQUIRES: no call runs any more.
  void Stop() {
    sharing_.reset();
    loop_.reset();
  }
  // As chosen where the options left it open.
  EngineShape shape() const { return shape_; }
  EngineGroup* loop() const { return loop_.get(); }

 private:
  ServedModel() = default;

  absl::Status Read(const Options& options);
  absl::Status ReadGenerationOptions(const ModelDirectory& directory, const Options& options);
  absl::Status CheckParts() const;
  EngineShape ChooseShape(const Options& options) const;
  absl::Status WarmUp();
  absl::Status WarmUp(EngineLoop* loop);
  absl::StatusOr<GenerationOptions> WarmUpOptions() const;

  std::string name_, directory_, revision_;
  LoadReport report_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Tokenizer> tokenizer_;
  ModelLanguages languages_;
  GenerationOptions generation_;
  std::vector<AttentionPreset> presets_;
  std::unique_ptr<EngineObserver> observer_;
  EngineShape shape_;
  std::unique_ptr<EngineGroup> loop_;  // borrows the others
  std::unique_ptr<ResponseSharing>
      sharing_;  // null: every request goes to the loops; last: uses them
};

}  // namespace attend
