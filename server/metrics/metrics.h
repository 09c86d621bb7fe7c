// What the server counts, said in words of the service; names, labels and buckets are
// metric_table.h's. Every series of a method exists from the start and every series of a model from
// its registration, with zero. Safe from any thread. Models that were never registered are not
// counted, so callers cannot make series.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/engine.h"
#include "engine/scheduler/engine_observer.h"
#include "server/rpc_method.h"

namespace attend::server {

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Calls.
  void CallStarted(RpcMethod method);
  void CallHandled(RpcMethod method, int code, absl::Duration duration);
  // A call that the server had no room or time for: counts once a call, for QUEUE_FULL,
  // MEMORY_BUDGET, OUT_OF_MEMORY and SHUTTING_DOWN; other reasons are none. `model` may be empty:
  // the call named none, or was refused before it was read.
  void CallRefused(const std::string& model, const std::string& reason);
  static bool IsRefusal(const std::string& reason);
  void SlowReader(RpcMethod method);

  // Items. Those that were computed and answered; durations are of these only, so that refusals,
  // which are quick, do not make the service look fast.
  void ItemTranslated(RpcMethod method, const std::string& model, const Translation& translation);
  void ItemSummarized(RpcMethod method, const std::string& model, SummaryMode mode,
                      const attend::Summary& summary);
  void ItemDone(RpcMethod method, const std::string& model, absl::Duration duration);
  // Those that were not: `outcome` is the reason of the item's error, or of the call's.
  void ItemsFailed(RpcMethod method, const std::string& model, const std::string& outcome,
                   int64_t items);
  // Phases that did not run (of zero length) are not observed.
  void Usage(const std::string& model, const CallUsage& usage);
  // `kind` as Name(AttentionKind), "align" or "query".
  void AttentionAsked(const std::string& model, const std::string& kind);
  void AttentionSent(const std::string& model, int64_t bytes);

  // Models. AddModel comes first, at registration; it also makes the series of the loop, so that
  // they are there before the model is. The observer counts the steps of the model's loop; it must
  // not outlive this.
  void AddModel(const std::string& model, const SchedulerOptions& options,
                const ResponseSharingOptions& sharing);
  std::unique_ptr<EngineObserver> MakeObserver(const std::string& model);
  void ModelLoaded(const ModelInfo& model, absl::Duration duration);
  void ModelStateIs(const ModelInfo& model);
  void ReadyIs(bool ready);

  // Everything in Prometheus' text format.
  std::string ToText() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace attend::server
