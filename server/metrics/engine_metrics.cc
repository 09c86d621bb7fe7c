// References to series are taken once: a step then costs a handful of atomic additions and no
// look-up.
#include "server/metrics/engine_metrics.h"

namespace attend::server {
namespace {

constexpr std::array<const char*, 3> kPhases = {"encode", "decode", "forced"};  // StepPhase
constexpr std::array<const char*, 4> kCauses = {"client", "deadline", "shutdown",
                                                "merged"};                      // CancelCause
constexpr std::array<const char*, 3> kStages = {"queued", "encode", "decode"};  // CancelStage
constexpr std::array<const char*, 3> kLookups = {"hit", "merged", "miss"};      // ResponseLookup

class EngineMetrics final : public EngineObserver {
 public:
  EngineMetrics(const std::string& model, MetricFamilies* families)
      : queue_wait_(families->Histogram(Metric::kPhaseDuration, {model, "queue"})),
        first_token_(families->Histogram(Metric::kTimeToFirstToken, {model})),
        token_time_(families->Histogram(Metric::kTimePerOutputToken, {model})),
        queue_items_(families->Gauge(Metric::kQueueItems, {model})),
        queue_tokens_(families->Gauge(Metric::kQueueTokens, {model})),
        queue_oldest_(families->Gauge(Metric::kQueueOldest, {model})),
        active_(families->Gauge(Metric::kActiveSequences, {model})),
        kv_cache_(families->Gauge(Metric::kKvCacheBytes, {model})),
        cache_entries_(families->Gauge(Metric::kResponseCacheEntries, {model})),
        cache_bytes_(families->Gauge(Metric::kResponseCacheBytes, {model})),
        cache_evictions_(families->Counter(Metric::kResponseCacheEvictions, {model})),
        decode_steps_(families->Counter(Metric::kDecodeSteps, {model})),
        busy_(families->Counter(Metric::kWorkerBusy, {"engine_loop"})) {
    for (size_t i = 0; i < kPhases.size(); ++i) {
      batch_items_[i] = &families->Histogram(Metric::kBatchItems, {model, kPhases[i]});
      batch_tokens_[i] = &families->Histogram(Metric::kBatchTokens, {model, kPhases[i]});
    }
    for (size_t i = 0; i < kLookups.size(); ++i)
      lookups_[i] = &families->Counter(Metric::kResponseLookups, {model, kLookups[i]});
    for (size_t cause = 0; cause < kCauses.size(); ++cause) {
      wasted_[cause] = &families->Counter(Metric::kWastedTokens, {model, kCauses[cause]});
      for (size_t stage = 0; stage < kStages.size(); ++stage) {
        cancelled_[cause][stage] =
            &families->Counter(Metric::kCancelled, {model, kCauses[cause], kStages[stage]});
      }
    }
  }

  void OnStep(const StepStats& step) override {
    const size_t phase = static_cast<size_t>(step.phase);
    batch_items_[phase]->Observe(step.sequences);
    batch_tokens_[phase]->Observe(static_cast<double>(step.tokens));
    busy_.Increment(absl::ToDoubleSeconds(step.duration));
    if (step.phase != StepPhase::kDecode) return;
    decode_steps_.Increment();
    token_time_.Observe(absl::ToDoubleSeconds(step.duration));
  }

  void OnLoad(const LoadStats& load) override {
    queue_items_.Set(static_cast<double>(load.queue_sequences));
    queue_tokens_.Set(static_cast<double>(load.queue_tokens));
    queue_oldest_.Set(absl::ToDoubleSeconds(load.queue_oldest));
    active_.Set(load.active_sequences);
    kv_cache_.Set(static_cast<double>(load.kv_cache_bytes));
  }

  void OnQueueWait(absl::Duration wait) override {
    queue_wait_.Observe(absl::ToDoubleSeconds(wait));
  }

  void OnFirstToken(absl::Duration since_submit) override {
    first_token_.Observe(absl::ToDoubleSeconds(since_submit));
  }

  void OnCancelled(CancelCause cause, CancelStage stage, int64_t wasted_tokens) override {
    cancelled_[static_cast<size_t>(cause)][static_cast<size_t>(stage)]->Increment();
    wasted_[static_cast<size_t>(cause)]->Increment(static_cast<double>(wasted_tokens));
  }

  void OnResponseLookup(ResponseLookup lookup) override {
    lookups_[static_cast<size_t>(lookup)]->Increment();
  }

  void OnResponseCache(const ResponseCacheStats& cache) override {
    cache_entries_.Set(static_cast<double>(cache.entries));
    cache_bytes_.Set(static_cast<double>(cache.bytes));
    cache_evictions_.Increment(static_cast<double>(cache.evictions));
  }

 private:
  prometheus::Histogram& queue_wait_;
  prometheus::Histogram& first_token_;
  prometheus::Histogram& token_time_;
  prometheus::Gauge& queue_items_;
  prometheus::Gauge& queue_tokens_;
  prometheus::Gauge& queue_oldest_;
  prometheus::Gauge& active_;
  prometheus::Gauge& kv_cache_;
  prometheus::Gauge& cache_entries_;
  prometheus::Gauge& cache_bytes_;
  prometheus::Counter& cache_evictions_;
  prometheus::Counter& decode_steps_;
  prometheus::Counter& busy_;
  std::array<prometheus::Histogram*, kPhases.size()> batch_items_{}, batch_tokens_{};
  std::array<prometheus::Counter*, kLookups.size()> lookups_{};
  std::array<prometheus::Counter*, kCauses.size()> wasted_{};
  std::array<std::array<prometheus::Counter*, kStages.size()>, kCauses.size()> cancelled_{};
};

}  // namespace

std::unique_ptr<EngineObserver> MakeEngineMetrics(const std::string& model,
                                                  MetricFamilies* families) {
  return std::make_unique<EngineMetrics>(model, families);
}

}  // namespace attend::server
