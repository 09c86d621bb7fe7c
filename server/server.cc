// Order of members is order of life: metrics outlive the engine (its observers), the engine
// outlives the listener (its calls), and the loading thread is joined before any of them goes.
#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "engine/base/cpu_budget.h"
#include "engine/base/status_macros.h"
#include "engine/engine.h"
#include "server/logging.h"
#include "server/metrics/metrics.h"
#include "server/metrics/metrics_endpoint.h"
#include "server/rpc_listener.h"

namespace attend::server {
namespace {

// A loop that has not gone round for this long is stuck, whatever the cause.
constexpr absl::Duration kStuckAfter = absl::Seconds(60);
// Least time for answers that are ready to reach their clients after the engine has ended.
constexpr absl::Duration kFlushGrace = absl::Seconds(2);
// Time for health watches, which never end by themselves, to be told and closed.
constexpr absl::Duration kCloseGrace = absl::Milliseconds(200);

EngineOptions EngineOptionsOf(const ServerOptions& options, Metrics* metrics) {
  EngineOptions engine;
  engine.limits = options.limits;
  engine.scheduler = options.scheduler;
  engine.sharing = options.sharing;
  engine.num_workers = options.num_workers;
  engine.cache = options.cache;
  engine.make_observer = [metrics](const std::string& model) {
    return metrics->MakeObserver(model);
  };
  return engine;
}

// How the start used the file that keeps packed weights.
const char* CacheUse(const WeightCacheReport& report) {
  switch (report.use) {
    case WeightCacheReport::Use::kNone:
      return "none";
    case WeightCacheReport::Use::kRead:
      return "read";
    case WeightCacheReport::Use::kWritten:
      return "written";
  }
  return "?";
}

// Written beside and renamed, so that a reader never sees half of it.
// What it holds, or why there is none.
std::string ShortlistNote(const ShortlistReport& report) {
  if (report.file.empty()) return report.why;
  return absl::StrCat(report.num_known_tokens, " source tokens, ", report.num_links, " links, ",
                      report.num_always, " always");
}

absl::Status WritePortFile(const std::string& path, int grpc_port, int metrics_port) {
  const std::string unfinished = path + ".unfinished";
  std::ofstream file(unfinished, std::ios::trunc);
  file << "grpc=" << grpc_port << "\n";
  if (metrics_port != 0) file << "metrics=" << metrics_port << "\n";
  file.close();
  if (file.fail() || std::rename(unfinished.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot write the port file ", path));
  }
  return absl::OkStatus();
}

}  // namespace

struct Server::State {
  explicit State(ServerOptions given)
      : options(std::move(given)), engine(EngineOptionsOf(options, &metrics)) {}

  const ServerOptions options;
  Metrics metrics;
  Engine engine;
  std::unique_ptr<RpcListener> listener;
  std::unique_ptr<MetricsEndpoint> endpoint;
  std::atomic<bool> ready{false};
  absl::Mutex mutex;  // orders "loaded, so serving" against "draining, so not"
  bool draining ABSL_GUARDED_BY(mutex) = false;
  bool drained = false;
  absl::Status load_status;  // set before `loaded`
  absl::Notification loaded;
  absl::Notification stop_delay;
  std::thread loader;

  // Model states change inside the engine; they are read when somebody looks.
  std::string MetricsText() {
    for (const ModelInfo& model : engine.ListModels()) metrics.ModelStateIs(model);
    return metrics.ToText();
  }

  void SetReady(bool value) {
    listener->SetServing(value);
    metrics.ReadyIs(value);
    ready = value;
  }

  bool LoadOne(const ModelSource& source, absl::Status* first_error) {
    const absl::Time start = absl::Now();
    const absl::Status status = engine.Load(source.name);
    const absl::Duration duration = absl::Now() - start;
    if (absl::StatusOr<ModelInfo> model = engine.GetModel(source.name); model.ok()) {
      metrics.ModelLoaded(*model, duration);
      if (status.ok()) {
        Log(LogLevel::kInfo, "model serves",
            {{"model", source.name},
             {"revision", model->revision},
             {"architecture", model->spec.architecture},
             {"parameters", absl::StrCat(model->load.num_parameters)},
             {"stored_type", model->load.stored_type},
             {"files", absl::StrJoin(model->load.files, ", ")},
             {"tensors_used", absl::StrCat(model->load.num_tensors)},
             {"tensors_tied", absl::StrCat(model->load.tied.size())},
             {"tensors_ignored", absl::StrCat(model->load.ignored.size())},
             {"compute_type", model->compute_type},
             {"weight_bytes", absl::StrCat(model->load.weight_bytes)},
             {"weight_cache", CacheUse(model->load.weight_cache)},
             {"weight_cache_file", model->load.weight_cache.file},
             {"weight_cache_bytes", absl::StrCat(model->load.weight_cache.bytes)},
             {"weight_cache_note", model->load.weight_cache.why},
             {"shortlist", model->load.shortlist.file},
             {"shortlist_note", ShortlistNote(model->load.shortlist)},
             {"revision_from", model->load.is_revision_from_stamp ? "stamp" : "files"},
             {"seconds", absl::StrCat(absl::ToDoubleSeconds(duration))}});
        LogThreads(*model);
        LogLoadNotes(source.name, model->load);
      }
    }
    if (!status.ok()) {
      Log(LogLevel::kError, "model failed to load",
          {{"model", source.name},
           {"folder", source.directory},
           {"error", status.ToString(absl::StatusToStringMode::kWithNoExtraData)}});
      if (first_error->ok()) *first_error = status;
      return false;
    }
    const absl::MutexLock lock(&mutex);
    if (!draining) listener->SetModelServing(source.name, true);
    return true;
  }

  void LogThreads(const ModelInfo& model) const {
    const CpuBudget& cpus = ProcessCpuBudget();
    Log(LogLevel::kInfo, "threads of a model",
        {{"model", model.name},
         {"engines", absl::StrCat(model.engines)},
         {"threads", absl::StrCat(model.threads)},
         {"usable_cpus", absl::StrCat(cpus.num_cpus)},
         {"limits", DescribeLimits(cpus)}});
    if (model.engines * model.threads > cpus.num_cpus) {
      Log(LogLevel::kWarning, "more threads than usable CPUs: they will wait for each other",
          {{"model", model.name}});
    }
  }

  // What concerns all models.
  void LogCpus() const {
    for (const std::string& note : ProcessCpuBudget().notes)
      Log(LogLevel::kWarning, "a limit of CPU time was not understood", {{"note", note}});
    if (options.models.size() > 1) {
      Log(LogLevel::kInfo, "each model may use all CPUs; those that are busy at once share them",
          {{"models", absl::StrCat(options.models.size())}});
    }
  }

  static void LogLoadNotes(const std::string& name, const LoadReport& report) {
    for (const std::string& tied : report.tied)
      Log(LogLevel::kDebug, "tied tensor", {{"model", name}, {"tensor", tied}});
    for (const std::string& ignored : report.ignored)
      Log(LogLevel::kDebug, "ignored tensor", {{"model", name}, {"tensor", ignored}});
    for (const std::string& note : report.notes)
      Log(LogLevel::kWarning, "note on a model folder", {{"model", name}, {"note", note}});
  }

  void LoadAll() {
    absl::Status first_error;
    int num_serving = 0;
    LogCpus();
    for (const ModelSource& source : options.models) {
      {
        const absl::MutexLock lock(&mutex);
        if (draining) break;
      }
      if (LoadOne(source, &first_error)) ++num_serving;
    }
    const absl::MutexLock lock(&mutex);
    if (num_serving > 0) {
      load_status = absl::OkStatus();
      if (!draining) SetReady(true);
    } else {
      load_status = first_error.ok() ? absl::CancelledError("stopped while loading") : first_error;
    }
  }
};

Server::Server(ServerOptions options) : state_(std::make_unique<State>(std::move(options))) {}

Server::~Server() {
  state_->stop_delay.Notify();
  if (!state_->drained) {
    {
      const absl::MutexLock lock(&state_->mutex);
      state_->draining = true;
    }
    if (state_->listener != nullptr) {
      state_->engine.Drain(absl::ZeroDuration());
      state_->listener->Shutdown(absl::ZeroDuration());
    }
  }
  if (state_->loader.joinable()) state_->loader.join();
  state_->endpoint.reset();
  state_->listener.reset();
}

absl::Status Server::Start(std::function<void(const absl::Status&)> on_loaded) {
  State& state = *state_;
  const ServerOptions& options = state.options;
  for (const ModelSource& source : options.models) {
    ATTEND_RETURN_IF_ERROR(state.engine.Register(source.name, source.directory, source.choices));
    state.metrics.AddModel(source.name, options.scheduler, options.sharing);
  }
  std::vector<std::string> folders;
  for (const ModelSource& source : options.models) folders.push_back(source.directory);
  ATTEND_ASSIGN_OR_RETURN(state.listener,
                          RpcListener::Start(options.listen, options.rpc, std::move(folders),
                                             &state.engine, &state.metrics));
  for (const ModelSource& source : options.models)
    state.listener->SetModelServing(source.name, false);
  if (!options.metrics_address.empty()) {
    EndpointPages pages;
    pages.metrics = [&state] { return state.MetricsText(); };
    pages.is_live = [&state] { return state.engine.SinceLastTick() < kStuckAfter; };
    pages.is_ready = [&state] { return state.ready.load(); };
    ATTEND_ASSIGN_OR_RETURN(state.endpoint,
                            MetricsEndpoint::Start(options.metrics_address, std::move(pages)));
  }
  Log(LogLevel::kInfo, "listening",
      {{"grpc_port", absl::StrCat(grpc_port())}, {"metrics_port", absl::StrCat(metrics_port())}});
  if (!options.port_file.empty()) {
    ATTEND_RETURN_IF_ERROR(WritePortFile(options.port_file, grpc_port(), metrics_port()));
  }
  state.loader = std::thread([&state, on_loaded = std::move(on_loaded)] {
    state.LoadAll();
    state.loaded.Notify();
    if (on_loaded) on_loaded(state.load_status);
  });
  return absl::OkStatus();
}

absl::Status Server::WaitUntilLoaded() {
  state_->loaded.WaitForNotification();
  return state_->load_status;
}

void Server::Drain() {
  State& state = *state_;
  if (state.listener == nullptr || state.drained) return;
  {
    const absl::MutexLock lock(&state.mutex);
    state.draining = true;
    for (const ModelSource& source : state.options.models)
      state.listener->SetModelServing(source.name, false);
    state.SetReady(false);
  }
  Log(LogLevel::kInfo, "draining",
      {{"delay", absl::FormatDuration(state.options.drain_delay)},
       {"timeout", absl::FormatDuration(state.options.drain_timeout)}});
  state.stop_delay.WaitForNotificationWithTimeout(state.options.drain_delay);
  const absl::Time start = absl::Now();
  state.listener->RefuseCalls();
  state.engine.Drain(state.options.drain_timeout);
  // The engine is done, but streams may still be on their way to readers that take their time.
  state.listener->WaitForCalls(
      std::max(start + state.options.drain_timeout, absl::Now() + kFlushGrace));
  state.listener->Shutdown(kCloseGrace);
  state.drained = true;
  Log(LogLevel::kInfo, "drained");
}

int Server::grpc_port() const { return state_->listener == nullptr ? 0 : state_->listener->port(); }

int Server::metrics_port() const {
  return state_->endpoint == nullptr ? 0 : state_->endpoint->port();
}

std::string Server::MetricsText() const { return state_->MetricsText(); }

}  // namespace attend::server
