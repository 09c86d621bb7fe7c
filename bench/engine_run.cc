// The loops take from one list of batches. A sentence that ends hands in the next one from its own
// callback, on the loop's thread, so that nothing but the engine lies between two sentences.
#include "bench/engine_run.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/checkpoint/model_revision.h"

namespace attend::bench {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Folders without the file have these settings in config.json.
absl::StatusOr<GenerationOptions> ReadGenerationOptions(const ModelDirectory& directory,
                                                        int64_t vocab_size) {
  constexpr char kFile[] = "generation_config.json";
  Json json;
  if (directory.Has(kFile)) {
    ATTEND_ASSIGN_OR_RETURN(json, directory.ReadJson(kFile));
  }
  return ParseGenerationConfig(json, directory.config(), vocab_size);
}

}  // namespace

// One pass over the workload.
class BenchEngine::Feed {
 public:
  Feed(BenchEngine* engine, const std::vector<WorkItem>& items, const RunPlan& plan)
      : engine_(engine), items_(items), plan_(plan) {
    batches_ = CutIntoBatches(items, plan.batch, plan.order);
    outcome_.answers.resize(items.size());
    // Where each sentence makes room for the next one, the batches are only an order.
    if (plan.admission == Admission::kStream) {
      std::vector<std::vector<size_t>> singles;
      for (const auto& batch : batches_) {
        for (const size_t index : batch) singles.push_back({index});
      }
      batches_ = std::move(singles);
    }
  }

  absl::StatusOr<RunOutcome> Run() {
    const size_t lanes = plan_.admission == Admission::kStream ? plan_.batch : 1;
    const Clock::time_point start = Clock::now();
    for (size_t lane = 0; lane < lanes; ++lane) {
      for (const auto& loop : engine_->loops_) SubmitNext(loop.get());
    }
    std::unique_lock<std::mutex> lock(mutex_);
    ended_.wait(lock,
                [&] { return in_flight_ == 0 && (next_ == batches_.size() || !error_.ok()); });
    outcome_.wall_seconds = SecondsSince(start);
    if (!error_.ok()) return error_;
    return std::move(outcome_);
  }

 private:
  struct Batch {
    size_t unanswered = 0;  // under mutex_
    EngineLoop* loop = nullptr;
  };

  void SubmitNext(EngineLoop* loop) {
    auto batch = std::make_shared<Batch>();
    const std::vector<size_t>* indices;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (next_ == batches_.size() || !error_.ok()) return;
      indices = &batches_[next_++];
      batch->unanswered = indices->size();
      batch->loop = loop;
      in_flight_ += indices->size();
    }
    for (const size_t index : *indices) Submit(index, batch);
  }

  void Submit(size_t index, const std::shared_ptr<Batch>& batch) {
    const WorkItem& item = items_[index];
    const Clock::time_point start = Clock::now();
    absl::StatusOr<GenerationOptions> options = engine_->OptionsFor(item, plan_.beam);
    if (!options.ok()) {
      Answered(batch, start, options.status(), 0);
      return;
    }
    auto request = std::make_shared<GenerationRequest>();
    request->source_ids = item.source;
    request->source_ids.push_back(engine_->model_->spec().eos_token_id);
    request->options = *std::move(options);
    request->caller = index + 1;  // as single callers, among whom nobody is held back
    request->on_done = [this, index, batch, start](GenerationResult result) {
      absl::Status checked = CheckAnswer(items_[index], result);
      // Each index is in one batch only, so no other thread writes here.
      if (checked.ok()) outcome_.answers[index] = std::move(result.hypotheses[0].tokens);
      Answered(batch, start, std::move(checked), items_[index].target_tokens);
    };
    const absl::Status accepted = batch->loop->Submit(std::move(request));
    if (!accepted.ok()) Answered(batch, start, accepted, 0);
  }

  static absl::Status CheckAnswer(const WorkItem& item, const GenerationResult& result) {
    if (!result.status.ok()) return result.status;
    const size_t found = result.hypotheses.empty() ? 0 : result.hypotheses[0].tokens.size();
    if (found == static_cast<size_t>(item.target_tokens)) return absl::OkStatus();
    return absl::InternalError(
        absl::StrCat("an answer has ", found, " tokens instead of ", item.target_tokens));
  }

  void Answered(const std::shared_ptr<Batch>& batch, Clock::time_point start, absl::Status status,
                int tokens) {
    bool batch_ended = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      outcome_.latencies.push_back(SecondsSince(start));
      outcome_.target_tokens += tokens;
      if (error_.ok()) error_ = std::move(status);
      batch_ended = --batch->unanswered == 0;
    }
    if (batch_ended) SubmitNext(batch->loop);
    // Only now: Run may return, and end this object, as soon as the last one has left. It notifies
    // under the lock for the same reason.
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--in_flight_ == 0) ended_.notify_all();
  }

  BenchEngine* const engine_;
  const std::vector<WorkItem>& items_;
  const RunPlan plan_;
  std::vector<std::vector<size_t>> batches_;
  std::mutex mutex_;
  std::condition_variable ended_;
  // Below under mutex_.
  size_t next_ = 0;
  size_t in_flight_ = 0;
  absl::Status error_;
  RunOutcome outcome_;
};

absl::StatusOr<std::unique_ptr<BenchEngine>> BenchEngine::Load(const std::string& path,
                                                               const EngineSettings& settings) {
  const Clock::time_point start = Clock::now();
  std::unique_ptr<BenchEngine> engine(new BenchEngine());
  engine->settings_ = settings;
  ATTEND_ASSIGN_OR_RETURN(const ModelDirectory directory, ModelDirectory::Open(path));
  ModelOptions options;
  options.compute_type = settings.compute_type;
  options.cache = CacheFolder({settings.keeps_weights, ""}, path);
  ATTEND_ASSIGN_OR_RETURN(const ModelRevision revision, RevisionOf(directory, options.cache));
  options.revision = revision.id;
  if (!settings.shortlist.empty())
    options.shortlist = {ShortlistChoice::Use::kFile, settings.shortlist};
  ATTEND_ASSIGN_OR_RETURN(engine->model_, Model::Load(directory, options, &engine->report_));
  ATTEND_ASSIGN_OR_RETURN(
      engine->checkpoint_options_,
      ReadGenerationOptions(directory, engine->model_->spec().target_vocab_size));
  SchedulerOptions scheduler;
  scheduler.num_threads = settings.threads;
  for (int i = 0; i < settings.loops; ++i) {
    engine->loops_.push_back(
        std::make_unique<EngineLoop>(engine->model_.get(), scheduler, /*observer=*/nullptr));
  }
  engine->load_seconds_ = SecondsSince(start);
  return engine;
}

BenchEngine::~BenchEngine() = default;

double BenchEngine::weight_mb() const {
  return static_cast<double>(report_.weight_bytes) / (1 << 20);
}

absl::StatusOr<GenerationOptions> BenchEngine::OptionsFor(const WorkItem& item, int beam) const {
  GenerationOverrides overrides;
  overrides.num_beams = beam;
  overrides.min_new_tokens = overrides.max_new_tokens = item.target_tokens;
  GenerationLimits limits;
  limits.max_num_beams = beam;
  limits.max_target_positions = static_cast<int>(model_->spec().decoder.max_position_embeddings);
  limits.vocab_size = model_->spec().target_vocab_size;
  ATTEND_ASSIGN_OR_RETURN(GenerationOptions options,
                          ResolveGenerationOptions(checkpoint_options_, overrides, limits));
  options.forced_eos_token_id.reset();  // every token is one that the model chose
  return options;
}

absl::StatusOr<RunOutcome> BenchEngine::Run(const std::vector<WorkItem>& items,
                                            const RunPlan& plan) {
  return Feed(this, items, plan).Run();
}

}  // namespace attend::bench
