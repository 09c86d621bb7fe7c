// Runs a workload through engine loops: no gRPC, no tokenizer, ids in and ids out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/workload.h"
#include "engine/generation/generation_options.h"
#include "engine/models/model.h"
#include "engine/scheduler/engine_loop.h"

namespace attend::bench {

struct EngineSettings {
  int loops = 1;    // engine loops that share the model
  int threads = 1;  // of each loop
  ComputeType compute_type = ComputeType::kInt8;
  std::string shortlist;      // file; empty: the whole vocabulary
  bool keeps_weights = true;  // as the server does: packed, in MODEL/.attend
};

enum class Admission {
  kStream,  // whenever a sentence ends the next one joins: what the server does
  kBatch    // the next batch starts when all of the last have ended: what a padding engine does
};

struct RunPlan {
  int beam = 1;
  size_t batch = 1;  // sentences in flight in each loop
  WorkOrder order = WorkOrder::kArrival;
  Admission admission = Admission::kStream;
};

struct RunOutcome {
  double wall_seconds = 0;
  std::vector<double> latencies;  // seconds from submitting a sentence to its answer
  int64_t target_tokens = 0;
  std::vector<std::vector<int32_t>> answers;  // of each sentence
};

// A loaded model with its loops running.
class BenchEngine {
 public:
  static absl::StatusOr<std::unique_ptr<BenchEngine>> Load(const std::string& directory,
                                                           const EngineSettings& settings);
  ~BenchEngine();

  double load_seconds() const { return load_seconds_; }
  const EngineSettings& settings() const { return settings_; }
  const char* compute_type() const { return Name(settings_.compute_type); }
  double weight_mb() const;

  // Every sentence once. INTERNAL when an answer has not exactly the tokens that were asked for;
  // any error that the engine gives.
  absl::StatusOr<RunOutcome> Run(const std::vector<WorkItem>& items, const RunPlan& plan);

 private:
  class Feed;

  BenchEngine() = default;
  absl::StatusOr<GenerationOptions> OptionsFor(const WorkItem& item, int beam) const;

  EngineSettings settings_;
  double load_seconds_ = 0;
  LoadReport report_;
  std::unique_ptr<Model> model_;
  GenerationOptions checkpoint_options_;
  std::vector<std::unique_ptr<EngineLoop>> loops_;  // before the model they run
};

}  // namespace attend::bench
