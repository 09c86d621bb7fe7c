// Series of a model are created together when it is registered (a panel that shows "no data" cannot
// be told from one that shows zero) and found by name afterwards; an unknown name finds nothing and
// is not counted.
#include "server/metrics/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <sstream>

#include "server/metrics/engine_metrics.h"
#include "server/metrics/metric_families.h"
#include "server/metrics/process_collector.h"
#include "server/utf8.h"

#ifndef ATTEND_VERSION
#define ATTEND_VERSION "unknown"
#endif

namespace attend::server {
namespace {

// Spelt as go-grpc-prometheus does, so that stock gRPC dashboards work. The index is the code.
constexpr std::array<const char*, 17> kCodes = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

// Outcomes that exist from the start; others of docs/api.md join when they first happen.
constexpr std::array<const char*, 5> kOutcomes = {"ok", "INPUT_TOO_LONG", "QUEUE_FULL",
                                                  "DEADLINE_EXCEEDED", "CANCELLED"};
constexpr std::array<const char*, 4> kModelStates = {"loading", "serving", "draining",
                                                     "failed"};  // ModelState
constexpr std::array<const char*, 6> kPhases = {"tokenize", "queue",     "encode",
                                                "decode",   "attention", "detokenize"};
constexpr std::array<const char*, 3> kFinishReasons = {"END_OF_SEQUENCE", "MAX_TOKENS",
                                                       "REPETITION"};                // FinishReason
constexpr std::array<const char*, 2> kSummaryModes = {"extractive", "abstractive"};  // SummaryMode
constexpr std::array<const char*, 5> kAttentionKinds = {"encoder_self", "decoder_self", "cross",
                                                        "align", "query"};

struct Refusal {
  const char* reason;  // docs/api.md
  const char* label;
};
constexpr std::array<Refusal, 4> kRefusals = {{{"QUEUE_FULL", "queue_full"},
                                               {"MEMORY_BUDGET", "memory"},
                                               {"OUT_OF_MEMORY", "memory"},
                                               {"SHUTTING_DOWN", "shutting_down"}}};

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

struct MethodSeries {
  prometheus::Counter* started = nullptr;
  std::array<prometheus::Counter*, kCodes.size()> handled{};
  prometheus::Histogram* handling = nullptr;
  prometheus::Gauge* in_flight = nullptr;
  prometheus::Counter* slow_readers = nullptr;
};

// References that are taken once and used for every item.
struct ModelSeries {
  std::array<prometheus::Histogram*, kRpcMethods.size()> item_duration{};
  std::map<std::string, prometheus::Histogram*> phases;
  std::array<prometheus::Gauge*, kModelStates.size()> states{};
  std::array<prometheus::Counter*, kFinishReasons.size()> finish{};
  std::array<prometheus::Counter*, kSummaryModes.size()> summaries{};
  prometheus::Histogram* summary_sentences = nullptr;
  prometheus::Counter *input_tokens = nullptr, *output_tokens = nullptr, *truncated = nullptr;
  prometheus::Histogram *item_input = nullptr, *item_output = nullptr, *segments = nullptr,
                        *score = nullptr;
  prometheus::Histogram* attention_bytes = nullptr;
  prometheus::Gauge* weight_bytes = nullptr;
  prometheus::Gauge* description = nullptr;  // attend_model_info, once it serves
};

// What a translation and a summary are counted by alike.
template <typename Item>
void ObserveItem(const Item& item, const ModelSeries& series) {
  series.item_input->Observe(static_cast<double>(item.input_tokens));
  series.item_output->Observe(static_cast<double>(item.output_tokens));
  series.segments->Observe(item.num_segments);
  if (item.truncated_input_tokens > 0) series.truncated->Increment();
}

std::vector<std::string> MethodLabels(const RpcMethodRow& row) {
  return {row.type, row.service, row.name};
}

}  // namespace

struct Metrics::State {
  MetricFamilies families;
  std::array<MethodSeries, kRpcMethods.size()> methods;
  mutable std::mutex mutex;  // guards `models` itself; entries never go away
  std::map<std::string, std::unique_ptr<ModelSeries>> models;
  prometheus::Gauge* ready = nullptr;

  ModelSeries* Find(const std::string& model) const {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto it = models.find(model);
    return it == models.end() ? nullptr : it->second.get();
  }

  void AddMethod(const RpcMethodRow& row) {
    MethodSeries& series = methods[static_cast<size_t>(row.method)];
    series.started = &families.Counter(Metric::kGrpcStarted, MethodLabels(row));
    series.handling = &families.Histogram(Metric::kGrpcHandling, MethodLabels(row));
    series.in_flight = &families.Gauge(Metric::kRequestsInFlight, {row.name});
    for (size_t code = 0; code < kCodes.size(); ++code) {
      std::vector<std::string> labels = MethodLabels(row);
      labels.push_back(kCodes[code]);
      series.handled[code] = &families.Counter(Metric::kGrpcHandled, labels);
    }
    if (std::string(row.type) == "server_stream") {
      series.slow_readers = &families.Counter(Metric::kSlowReaders, {row.name});
    }
  }

  std::unique_ptr<ModelSeries> MakeModel(const std::string& model) {
    auto series = std::make_unique<ModelSeries>();
    for (const RpcMethodRow& row : kRpcMethods) {
      if (!row.has_items) continue;
      series->item_duration[static_cast<size_t>(row.method)] =
          &families.Histogram(Metric::kItemDuration, {row.name, model});
      for (const char* outcome : kOutcomes)
        families.Counter(Metric::kItems, {row.name, model, outcome});
    }
    for (const char* phase : kPhases)
      series->phases[phase] = &families.Histogram(Metric::kPhaseDuration, {model, phase});
    for (size_t i = 0; i < kModelStates.size(); ++i) {
      series->states[i] = &families.Gauge(Metric::kModelState, {model, kModelStates[i]});
    }
    for (size_t i = 0; i < kFinishReasons.size(); ++i) {
      series->finish[i] = &families.Counter(Metric::kFinish, {model, kFinishReasons[i]});
    }
    for (size_t i = 0; i < kSummaryModes.size(); ++i) {
      series->summaries[i] = &families.Counter(Metric::kSummaries, {model, kSummaryModes[i]});
    }
    series->summary_sentences = &families.Histogram(Metric::kSummarySentences, {model});
    for (const char* kind : kAttentionKinds)
      families.Counter(Metric::kAttentionRequests, {model, kind});
    for (const Refusal& refusal : kRefusals)
      families.Counter(Metric::kRefused, {model, refusal.label});
    for (const char* outcome : {"ok", "error"}) {
      families.Counter(Metric::kModelLoads, {model, outcome});
      families.Histogram(Metric::kModelLoadDuration, {model, outcome});
    }
    series->input_tokens = &families.Counter(Metric::kInputTokens, {model});
    series->output_tokens = &families.Counter(Metric::kOutputTokens, {model});
    series->truncated = &families.Counter(Metric::kTruncatedItems, {model});
    series->item_input = &families.Histogram(Metric::kItemInputTokens, {model});
    series->item_output = &families.Histogram(Metric::kItemOutputTokens, {model});
    series->segments = &families.Histogram(Metric::kItemSegments, {model});
    series->score = &families.Histogram(Metric::kSequenceScore, {model});
    series->attention_bytes = &families.Histogram(Metric::kAttentionBytes, {model});
    series->weight_bytes = &families.Gauge(Metric::kModelWeightBytes, {model});
    return series;
  }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {
  for (const RpcMethodRow& row : kRpcMethods) state_->AddMethod(row);
  state_->ready = &state_->families.Gauge(Metric::kReady);
  for (const Refusal& refusal : kRefusals)
    state_->families.Counter(Metric::kRefused, {"", refusal.label});
  state_->families.Gauge(Metric::kWorkers, {"engine_loop"});
  state_->families.Counter(Metric::kWorkerBusy, {"engine_loop"});
  state_->families.Gauge(Metric::kBuildInfo, {ATTEND_VERSION}).Set(1);
}

Metrics::~Metrics() = default;

void Metrics::CallStarted(RpcMethod method) {
  MethodSeries& series = state_->methods[static_cast<size_t>(method)];
  series.started->Increment();
  series.in_flight->Increment();
}

void Metrics::CallHandled(RpcMethod method, int code, absl::Duration duration) {
  MethodSeries& series = state_->methods[static_cast<size_t>(method)];
  series.in_flight->Decrement();
  series
      .handled[code >= 0 && code < static_cast<int>(kCodes.size()) ? static_cast<size_t>(code) : 2]
      ->Increment();
  series.handling->Observe(Seconds(duration));
}

bool Metrics::IsRefusal(const std::string& reason) {
  return std::any_of(kRefusals.begin(), kRefusals.end(),
                     [&reason](const Refusal& refusal) { return reason == refusal.reason; });
}

void Metrics::CallRefused(const std::string& model, const std::string& reason) {
  for (const Refusal& refusal : kRefusals) {
    if (reason != refusal.reason) continue;
    // A name that nobody registered came from a caller and must not become a series.
    const std::string label = state_->Find(model) == nullptr ? std::string() : model;
    state_->families.Counter(Metric::kRefused, {label, refusal.label}).Increment();
  }
}

void Metrics::SlowReader(RpcMethod method) {
  if (auto* counter = state_->methods[static_cast<size_t>(method)].slow_readers)
    counter->Increment();
}

void Metrics::ItemTranslated(RpcMethod method, const std::string& model,
                             const Translation& translation) {
  ModelSeries* series = state_->Find(model);
  if (series == nullptr) return;
  ItemDone(method, model, translation.duration);
  ObserveItem(translation, *series);
  if (translation.hypotheses.empty() || translation.output_tokens == 0) return;
  series->score->Observe(translation.hypotheses[0].score);
  series->finish[static_cast<size_t>(translation.hypotheses[0].finish_reason)]->Increment();
}

void Metrics::ItemSummarized(RpcMethod method, const std::string& model, SummaryMode mode,
                             const Summary& summary) {
  ModelSeries* series = state_->Find(model);
  if (series == nullptr) return;
  ItemDone(method, model, summary.duration);
  ObserveItem(summary, *series);
  series->summaries[static_cast<size_t>(mode)]->Increment();
  series->summary_sentences->Observe(static_cast<double>(summary.sentences.size()));
  if (mode == SummaryMode::kAbstractive && summary.output_tokens > 0)
    series->finish[static_cast<size_t>(summary.finish_reason)]->Increment();
}

void Metrics::ItemDone(RpcMethod method, const std::string& model, absl::Duration duration) {
  ModelSeries* series = state_->Find(model);
  prometheus::Histogram* histogram =
      series == nullptr ? nullptr : series->item_duration[static_cast<size_t>(method)];
  if (histogram == nullptr) return;
  histogram->Observe(Seconds(duration));
  state_->families.Counter(Metric::kItems, {Describe(method).name, model, "ok"}).Increment();
}

void Metrics::ItemsFailed(RpcMethod method, const std::string& model, const std::string& outcome,
                          int64_t items) {
  if (items <= 0 || !Describe(method).has_items || state_->Find(model) == nullptr) return;
  state_->families.Counter(Metric::kItems, {Describe(method).name, model, outcome})
      .Increment(static_cast<double>(items));
}

void Metrics::Usage(const std::string& model, const CallUsage& usage) {
  ModelSeries* series = state_->Find(model);
  if (series == nullptr) return;
  series->input_tokens->Increment(static_cast<double>(usage.input_tokens));
  series->output_tokens->Increment(static_cast<double>(usage.output_tokens));
  const auto observe = [series](const char* phase, absl::Duration duration) {
    if (duration > absl::ZeroDuration()) series->phases.at(phase)->Observe(Seconds(duration));
  };
  // "queue" is observed by the loop, once for each sequence.
  observe("tokenize", usage.tokenize);
  observe("encode", usage.encode);
  observe("decode", usage.decode);
  observe("attention", usage.attention);
  observe("detokenize", usage.detokenize);
}

void Metrics::AttentionAsked(const std::string& model, const std::string& kind) {
  if (state_->Find(model) == nullptr) return;
  state_->families.Counter(Metric::kAttentionRequests, {model, kind}).Increment();
}

void Metrics::AttentionSent(const std::string& model, int64_t bytes) {
  if (ModelSeries* series = state_->Find(model))
    series->attention_bytes->Observe(static_cast<double>(bytes));
}

void Metrics::AddModel(const std::string& model, const SchedulerOptions& options,
                       const ResponseSharingOptions& sharing) {
  std::unique_ptr<ModelSeries> series = state_->MakeModel(model);
  state_->families.Gauge(Metric::kQueueCapacityTokens, {model})
      .Set(static_cast<double>(options.queue_capacity_tokens));
  state_->families.Gauge(Metric::kKvCacheCapacityBytes, {model})
      .Set(static_cast<double>(options.kv_cache_bytes));
  state_->families.Gauge(Metric::kResponseCacheCapacityBytes, {model})
      .Set(static_cast<double>(sharing.cache_bytes));
  MakeEngineMetrics(model, &state_->families);
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->models[model] = std::move(series);
}

std::unique_ptr<EngineObserver> Metrics::MakeObserver(const std::string& model) {
  return MakeEngineMetrics(model, &state_->families);
}

void Metrics::ModelLoaded(const ModelInfo& model, absl::Duration duration) {
  ModelSeries* series = state_->Find(model.name);
  if (series == nullptr) return;
  const bool ok = model.state != ModelState::kFailed;
  state_->families.Counter(Metric::kModelLoads, {model.name, ok ? "ok" : "error"}).Increment();
  state_->families.Histogram(Metric::kModelLoadDuration, {model.name, ok ? "ok" : "error"})
      .Observe(Seconds(duration));
  if (!ok) return;
  series->weight_bytes->Set(static_cast<double>(model.load.weight_bytes));
  if (series->description != nullptr) {
    state_->families.Remove(Metric::kModelInfo, series->description);
  } else {
    state_->families.Gauge(Metric::kWorkers, {"engine_loop"}).Increment(model.engines);
  }
  series->description = &state_->families.Gauge(
      Metric::kModelInfo,
      {model.name, ToUtf8(model.revision), ToUtf8(model.spec.architecture), model.compute_type});
  series->description->Set(1);
}

void Metrics::ModelStateIs(const ModelInfo& model) {
  ModelSeries* series = state_->Find(model.name);
  if (series == nullptr) return;
  for (size_t i = 0; i < kModelStates.size(); ++i)
    series->states[i]->Set(static_cast<size_t>(model.state) == i ? 1 : 0);
}

void Metrics::ReadyIs(bool ready) { state_->ready->Set(ready ? 1 : 0); }

std::string Metrics::ToText() const {
  std::vector<prometheus::MetricFamily> families = state_->families.Collect();
  for (prometheus::MetricFamily& family : CollectProcessMetrics())
    families.push_back(std::move(family));
  // A family without series (attend_model_info before the first load) is left out by the format.
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace attend::server
