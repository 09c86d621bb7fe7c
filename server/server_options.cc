// CLI11 reads flags and environment into plain strings and numbers with ranges; what CLI11 cannot
// check (durations, addresses, model folders) is checked here, and every complaint names the flag
// and what would be right.
#include "server/server_options.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <set>
#include <system_error>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "engine/base/status_macros.h"

#ifndef ATTEND_VERSION
#define ATTEND_VERSION "unknown"
#endif

namespace attend::server {
namespace {

namespace fs = std::filesystem;

constexpr char kAbout[] =
    "Serves translation models over gRPC (attend.v1), with the attention behind every word.\n"
    "Each flag can also be given as an environment variable: --queue-tokens is "
    "ATTEND_QUEUE_TOKENS.\n";

// Flags whose text needs more than a range check.
struct RawOptions {
  std::vector<std::string> models;
  std::string models_dir;
  std::string engines = "auto", threads = "auto";
  int kv_cache_mb = 512;
  int attention_memory_mb = 1024;
  std::string drain_delay = "0s", drain_timeout = "30s", default_deadline = "60s",
              slow_reader_timeout = "30s";
  std::string connection_idle = "10m", connection_age = "30m", connection_grace = "30s";
  std::string keepalive_time = "1m", keepalive_timeout = "20s";
  std::vector<std::string> stray;
  std::string compute_type = "auto", weight_cache = "auto", shortlist = "off";
  std::string log_level = "info", log_format = "auto", reflection = "on", merge_duplicates = "off";
};

absl::Status FlagError(std::string_view flag, std::string_view message) {
  return absl::InvalidArgumentError(
      absl::StrCat("--", std::string(flag), ": ", std::string(message)));
}

absl::Status ParseDurationFlag(std::string_view flag, const std::string& text, bool zero_allowed,
                               absl::Duration* out) {
  if (!absl::ParseDuration(text, out) || *out < absl::ZeroDuration() ||
      *out > absl::Hours(24 * 365)) {
    return FlagError(flag, absl::StrCat("'", text, "' is not a duration such as 500ms, 30s or 2m"));
  }
  if (!zero_allowed && *out == absl::ZeroDuration()) return FlagError(flag, "must be above zero");
  return absl::OkStatus();
}

// A number from 1 on, or 0 for "auto".
absl::Status ParseCountFlag(std::string_view flag, const std::string& text, int most, int* out) {
  *out = 0;
  if (text == "auto" || text == "0") return absl::OkStatus();
  if (absl::SimpleAtoi(text, out) && *out >= 1 && *out <= most) return absl::OkStatus();
  return FlagError(flag,
                   absl::StrCat("'", text, "' is neither auto nor a number from 1 to ", most));
}

absl::Status CheckAddress(std::string_view flag, const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return FlagError(
        flag,
        absl::StrCat("'", address, "' is not HOST:PORT, for example 0.0.0.0:50051 (port 0: any)"));
  }
  return absl::OkStatus();
}

// The user's cache folder as the XDG base directory specification has it; empty when there is none.
std::string UserCacheFolder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr && *value == '/' ? value : "");
  };
  const std::string caches = variable("XDG_CACHE_HOME"), home = variable("HOME");
  if (!caches.empty()) return caches + "/attend";
  return home.empty() ? "" : home + "/.cache/attend";
}

absl::StatusOr<CacheChoice> ParseCache(const std::string& text) {
  CacheChoice cache;
  if (text == "off") return cache;
  if (text.empty()) return FlagError("weight-cache", "give a folder, auto or off");
  if (text == "auto") {
    cache.in_model_folder = true;
    cache.shared_folder = UserCacheFolder();
    return cache;
  }
  std::error_code error;
  const fs::path absolute = fs::absolute(text, error);
  cache.shared_folder = error ? text : absolute.lexically_normal().string();
  if (fs::exists(cache.shared_folder, error) && !fs::is_directory(cache.shared_folder, error))
    return FlagError("weight-cache", absl::StrCat("'", text, "' is not a folder"));
  return cache;
}

absl::Status CollectModels(const RawOptions& raw, std::vector<ModelSource>* models) {
  for (const std::string& text : raw.models) {
    ATTEND_ASSIGN_OR_RETURN(std::vector<ModelSource> sources, ParseModelFlag(text));
    std::move(sources.begin(), sources.end(), std::back_inserter(*models));
  }
  if (!raw.models_dir.empty()) {
    ATTEND_ASSIGN_OR_RETURN(std::vector<ModelSource> found, ScanModelsFolder(raw.models_dir));
    if (found.empty() && models->empty()) {
      return FlagError("models-dir",
                       absl::StrCat("no sub-folder of '", raw.models_dir, "' has a config.json"));
    }
    models->insert(models->end(), found.begin(), found.end());
  }
  if (models->empty()) {
    return absl::InvalidArgumentError(
        "no model is named. Give a Hugging Face model folder, for example --model "
        "en-fr=models/en-fr, or a folder of "
        "such folders with --models-dir models (see --help)");
  }
  ATTEND_ASSIGN_OR_RETURN(const std::optional<ComputeType> compute_type,
                          ParseComputeTypeFlag("compute-type", raw.compute_type));
  std::set<std::string> names;
  for (ModelSource& source : *models) {
    if (!source.has_own_compute_type) source.choices.compute_type = compute_type;
    if (!source.has_own_shortlist && raw.shortlist == "auto")
      source.choices.shortlist.use = ShortlistChoice::Use::kAuto;
    if (!names.insert(source.name).second) {
      return FlagError(
          "model",
          absl::StrCat("'", source.name, "' is given twice; use NAME=FOLDER to tell them apart"));
    }
  }
  return absl::OkStatus();
}

CLI::Option* WithEnvironment(CLI::Option* option) {
  const std::string name = option->get_lnames().front();
  return option->envname("ATTEND_" +
                         absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
}

void DeclareServing(CLI::App* app, ServerOptions* options, RawOptions* raw) {
  const auto add = [app](const char* flag, auto& value, const char* help) {
    return WithEnvironment(app->add_option(flag, value, help)->capture_default_str());
  };
  add("--model", raw->models,
      "NAME=FOLDER or FOLDER of a model in Hugging Face layout, options of its own after commas: "
      "NAME=FOLDER,compute-type=int8; may be repeated")
      ->allow_extra_args(false)
      ->group("Models");
  add("--models-dir", raw->models_dir, "folder whose sub-folders are models")->group("Models");
  add("--compute-type", raw->compute_type,
      "auto, float32 or int8: the numbers that models without one of their own compute in; auto is "
      "the fastest that a model supports")
      ->check(CLI::IsMember({"auto", "float32", "int8"}))
      ->group("Models");
  add("--shortlist", raw->shortlist,
      "auto or off: whether models with a lexical.shortlist in their folder choose their words "
      "from "
      "it (faster in int8, scores are over the shortlist); a file is named for one model: "
      "NAME=FOLDER,shortlist=FILE")
      ->check(CLI::IsMember({"auto", "off"}))
      ->group("Models");
  add("--weight-cache", raw->weight_cache,
      "where packed weights are kept for the next start: auto (.attend in the model's folder, else "
      "the user's cache folder), off, or a folder")
      ->group("Models");
  add("--listen", options->listen, "HOST:PORT of gRPC; port 0 takes any free one")
      ->group("Addresses");
  add("--metrics-address", options->metrics_address,
      "HOST:PORT of /metrics, /livez and /readyz; 'off' for none, port 0 for any")
      ->group("Addresses");
  add("--port-file", options->port_file,
      "file to write the chosen ports to, as grpc=PORT and metrics=PORT")
      ->group("Addresses");
  add("--reflection", raw->reflection, "on or off: lets grpcurl list services")
      ->check(CLI::IsMember({"on", "off"}))
      ->group("Addresses");
  add("--drain-delay", raw->drain_delay,
      "on SIGTERM: time to go on serving while health says NOT_SERVING")
      ->group("Shutdown");
  add("--drain-timeout", raw->drain_timeout, "on SIGTERM: time that running calls get to end")
      ->group("Shutdown");
  add("--log-level", raw->log_level, "least level that is logged")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->group("Logging");
  add("--log-format", raw->log_format, "text, json, or auto: text on a terminal, else json")
      ->check(CLI::IsMember({"auto", "text", "json"}))
      ->group("Logging");
}

void DeclareLimits(CLI::App* app, ServerOptions* options, RawOptions* raw) {
  const auto add = [app](const char* flag, auto& value, const char* help, int64_t least,
                         int64_t most) {
    WithEnvironment(app->add_option(flag, value, help)->capture_default_str())
        ->check(CLI::Range(least, most));
  };
  const auto add_text = [app](const char* flag, std::string& value, const char* help) {
    WithEnvironment(app->add_option(flag, value, help)->capture_default_str())->group("Limits");
  };
  constexpr int64_t kMany = int64_t{1} << 31;
  SchedulerOptions& scheduler = options->scheduler;
  add_text("--engines", raw->engines,
           "loops that serve a model side by side, each with a batch of its own; auto: by CPUs and "
           "size of the model");
  add_text("--threads", raw->threads,
           "threads that compute one step of each engine; auto as above");
  add("--workers", options->num_workers, "threads that finish calls", 1, 256);
  add("--queue-tokens", scheduler.queue_capacity_tokens, "source tokens that may wait, per model",
      1, kMany);
  add("--max-batch-rows", scheduler.max_batch_rows, "decoder rows of one step (beams count)", 1,
      65536);
  add("--max-encode-tokens", scheduler.max_encode_tokens,
      "source tokens encoded between two decode steps", 1, kMany);
  add("--kv-cache-mb", raw->kv_cache_mb, "MiB for keys and values of running sequences, per model",
      1, 1 << 20);
  WithEnvironment(
      app->add_option("--response-cache-bytes", options->sharing.cache_bytes,
                      "bytes of answers kept for equal sentences, per model, as 67108864 "
                      "or 64MiB; 0: none"))
      ->capture_default_str()
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40));
  WithEnvironment(app->add_option("--merge-duplicates", raw->merge_duplicates,
                                  "on or off: equal sentences on their way at the same time are "
                                  "computed once"))
      ->capture_default_str()
      ->check(CLI::IsMember({"on", "off"}));
  EngineLimits& limits = options->limits;
  add("--max-texts", limits.max_texts, "texts per call", 1, 100000);
  add("--max-text-bytes", limits.max_text_bytes, "bytes per text", 1, kMany);
  add("--max-document-bytes", limits.max_document_bytes, "bytes per text to summarise", 1, kMany);
  add("--max-document-sentences", limits.max_document_sentences, "sentences per text to summarise",
      1, 10000000);
  add("--max-segments", limits.max_segments, "segments per text", 1, 1000000);
  add("--max-beam-size", limits.max_num_beams, "beams per segment", 1, 64);
  add("--max-attention-bytes", limits.max_attention_bytes, "weights of one unary answer", 1, kMany);
  add("--max-attention-stream-bytes", limits.max_attention_stream_bytes,
      "weights of one StreamAttention", 1, int64_t{1} << 40);
  add("--attention-memory-mb", raw->attention_memory_mb,
      "MiB for attention that is being computed or read, of all calls", 1, 1 << 20);
  RpcOptions& rpc = options->rpc;
  add("--max-message-bytes", rpc.max_message_bytes, "bytes of one request or response", 1024,
      1 << 30);
  add("--max-concurrent-streams", rpc.max_concurrent_streams, "calls at once on one connection", 1,
      1000000);
  add_text("--default-deadline", raw->default_deadline, "deadline of a call that sets none");
  add_text("--slow-reader-timeout", raw->slow_reader_timeout,
           "a stream whose client takes nothing for this long is cancelled");
  add_text("--connection-idle", raw->connection_idle,
           "a connection without calls for this long is closed");
  add_text("--connection-age", raw->connection_age,
           "age at which a connection is asked to reconnect");
  add_text("--connection-grace", raw->connection_grace,
           "time that calls on such a connection get to end");
  add_text("--keepalive-time", raw->keepalive_time,
           "silence after which a connection is asked whether it lives");
  add_text("--keepalive-timeout", raw->keepalive_timeout,
           "time it has to answer before it is closed");
}

// Flags that are each fine, but not together.
absl::Status CheckTogether(const ServerOptions& options) {
  const auto above = [](const char* small_flag, int64_t small, const char* large_flag,
                        int64_t large, const char* why) {
    if (small <= large) return absl::OkStatus();
    return FlagError(small_flag,
                     absl::StrCat(small, " is above --", large_flag, " (", large, "): ", why));
  };
  const EngineLimits& limits = options.limits;
  const int64_t message = options.rpc.max_message_bytes;
  ATTEND_RETURN_IF_ERROR(above("max-text-bytes", limits.max_text_bytes, "max-message-bytes",
                               message, "such a text could never arrive"));
  ATTEND_RETURN_IF_ERROR(above("max-attention-bytes", limits.max_attention_bytes,
                               "max-message-bytes", message, "such an answer could not be sent"));
  ATTEND_RETURN_IF_ERROR(above("max-attention-bytes", limits.max_attention_bytes,
                               "max-attention-stream-bytes", limits.max_attention_stream_bytes,
                               "a stream takes what a single answer cannot"));
  ATTEND_RETURN_IF_ERROR(above("max-attention-stream-bytes", limits.max_attention_stream_bytes,
                               "attention-memory-mb", limits.attention_memory_bytes,
                               "such an answer could never be held"));
  ATTEND_RETURN_IF_ERROR(above("max-beam-size", limits.max_num_beams, "max-batch-rows",
                               options.scheduler.max_batch_rows, "such a search could never run"));
  if (options.listen == options.metrics_address && !absl::EndsWith(options.listen, ":0")) {
    return FlagError("metrics-address",
                     absl::StrCat("'", options.listen, "' is the address of --listen too"));
  }
  return absl::OkStatus();
}

// What is left over after all flags, told with what was probably meant.
absl::Status StrayArgument(const std::string& text) {
  if (text.rfind("-", 0) == 0)
    return absl::InvalidArgumentError(absl::StrCat("there is no flag ", text, " (see --help)"));
  return absl::InvalidArgumentError(absl::StrCat(
      "'", text, "' stands alone; a model is given as --model ", text, " (see --help)"));
}

// CLI11 from 2.4 on passes over a variable whose value fails an option's checks; but a setting that
// quietly does nothing is worse than none.
absl::Status CheckEnvironment(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_envname();
    const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
    if (value == nullptr || *value == '\0' || option->count() > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("environment variable ", name, ": '", value,
                                                   "' is not a value that ", option->get_name(),
                                                   " takes (see --help)"));
  }
  return absl::OkStatus();
}

absl::Status Resolve(const RawOptions& raw, ServerOptions* options) {
  if (!raw.stray.empty()) return StrayArgument(raw.stray.front());
  ATTEND_RETURN_IF_ERROR(CheckAddress("listen", options->listen));
  if (options->metrics_address == "off") options->metrics_address.clear();
  if (!options->metrics_address.empty()) {
    ATTEND_RETURN_IF_ERROR(CheckAddress("metrics-address", options->metrics_address));
  }
  RpcOptions& rpc = options->rpc;
  ATTEND_RETURN_IF_ERROR(
      ParseDurationFlag("drain-delay", raw.drain_delay, true, &options->drain_delay));
  ATTEND_RETURN_IF_ERROR(
      ParseDurationFlag("drain-timeout", raw.drain_timeout, true, &options->drain_timeout));
  ATTEND_RETURN_IF_ERROR(
      ParseDurationFlag("default-deadline", raw.default_deadline, false, &rpc.default_deadline));
  ATTEND_RETURN_IF_ERROR(ParseDurationFlag("slow-reader-timeout", raw.slow_reader_timeout, false,
                                           &rpc.slow_reader_timeout));
  ATTEND_RETURN_IF_ERROR(
      ParseDurationFlag("connection-age", raw.connection_age, false, &rpc.connection_age));
  ATTEND_RETURN_IF_ERROR(
      ParseDurationFlag("connection-grace", raw.connection_grace, true, &rpc.connection_grace));
  ATTEND_RETURN_IF_ERROR(
      ParseDurationFlag("connection-idle", raw.connection_idle, false, &rpc.connection_idle));
  ATTEND_RETURN_IF_ERROR(
      ParseDurationFlag("keepalive-time", raw.keepalive_time, false, &rpc.keepalive_time));
  ATTEND_RETURN_IF_ERROR(
      ParseDurationFlag("keepalive-timeout", raw.keepalive_timeout, false, &rpc.keepalive_timeout));
  rpc.reflection = raw.reflection == "on";
  options->sharing.merge_duplicates = raw.merge_duplicates == "on";
  options->scheduler.kv_cache_bytes = int64_t{raw.kv_cache_mb} << 20;
  SchedulerOptions& scheduler = options->scheduler;
  ATTEND_RETURN_IF_ERROR(ParseCountFlag("engines", raw.engines, 64, &scheduler.num_engines));
  ATTEND_RETURN_IF_ERROR(ParseCountFlag("threads", raw.threads, 256, &scheduler.num_threads));
  options->limits.attention_memory_bytes = int64_t{raw.attention_memory_mb} << 20;
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (raw.log_level == Name(level)) options->log_level = level;
  }
  const bool text =
      raw.log_format == "text" || (raw.log_format == "auto" && ::isatty(STDERR_FILENO) != 0);
  options->log_format = text ? LogFormat::kText : LogFormat::kJson;
  ATTEND_RETURN_IF_ERROR(CheckTogether(*options));
  ATTEND_ASSIGN_OR_RETURN(options->cache, ParseCache(raw.weight_cache));
  return CollectModels(raw, &options->models);
}

}  // namespace

absl::StatusOr<std::variant<ServerOptions, PrintAndExit>> ParseServerOptions(
    int argc, const char* const* argv) {
  using Parsed = std::variant<ServerOptions, PrintAndExit>;
  ServerOptions options;
  RawOptions raw;
  CLI::App app(kAbout, "attend-server");
  try {
    app.set_version_flag("--version", "attend-server " ATTEND_VERSION);
    app.get_formatter()->column_width(36);
    DeclareServing(&app, &options, &raw);
    app.option_defaults()->group("Limits");
    DeclareLimits(&app, &options, &raw);
    app.allow_extras();  // told in our own words
    app.parse(argc, argv);
    raw.stray = app.remaining();
    ATTEND_RETURN_IF_ERROR(CheckEnvironment(app));
  } catch (const CLI::CallForHelp&) {
    return Parsed(PrintAndExit{app.help()});
  } catch (const CLI::CallForVersion&) {
    return Parsed(PrintAndExit{"attend-server " ATTEND_VERSION "\n"});
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(error.what());
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("reading the command line: ", error.what()));
  }
  ATTEND_RETURN_IF_ERROR(Resolve(raw, &options));
  return Parsed(std::move(options));
}

}  // namespace attend::server
