// Durations are in seconds by a monotonic clock. Buckets begin below a millisecond, because small models answer in
// milliseconds, and there are few of them, because every bucket is a series for every label.
#include "server/metrics/metric_table.h"

#include "engine/base/check.h"

namespace attend::server {
namespace {

std::vector<double> PowersOfTwo(double first, double last) {
  std::vector<double> buckets;
  for (double b = first; b <= last; b *= 2) buckets.push_back(b);
  return buckets;
}

std::vector<MetricRow> MakeTable() {
  constexpr MetricType C = MetricType::kCounter, G = MetricType::kGauge, H = MetricType::kHistogram;
  const std::vector<double> seconds = {0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                       0.1,    0.25,   0.5,   1,      2.5,   5,    10,    30};
  const std::vector<double> load_seconds = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};
  const std::vector<double> token_seconds = {0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5};
  const std::vector<double> scores = {-5, -3, -2, -1.5, -1, -0.7, -0.5, -0.3, -0.2, -0.1};
  const std::vector<double> tokens = PowersOfTwo(1, 4096), few = PowersOfTwo(1, 128);
  const std::vector<double> batch_items = PowersOfTwo(1, 256), batch_tokens = PowersOfTwo(1, 16384);
  const std::vector<double> bytes = PowersOfTwo(1024, 4194304);
  return {
      {Metric::kBuildInfo, "attend_build_info", G, {"version"}, {}, "1; the version of the server"},
      {Metric::kReady, "attend_ready", G, {}, {}, "1 while the server takes calls and all loading has been tried"},
      {Metric::kModelInfo, "attend_model_info", G, {"model", "revision", "architecture", "compute_type"}, {},
       "1 for each model that serves"},
      {Metric::kModelState, "attend_model_state", G, {"model", "state"}, {},
       "1 for the state that the model is in: loading, serving, draining or failed"},
      {Metric::kModelWeightBytes, "attend_model_weight_bytes", G, {"model"}, {}, "Bytes of weights in memory"},
      {Metric::kModelLoadDuration, "attend_model_load_duration_seconds", H, {"model", "outcome"}, load_seconds,
       "Time to load a model"},
      {Metric::kModelLoads, "attend_model_loads_total", C, {"model", "outcome"}, {}, "Loads of models: ok or error"},
      {Metric::kGrpcStarted, "grpc_server_started_total", C, {"grpc_type", "grpc_service", "grpc_method"}, {},
       "Calls begun"},
      {Metric::kGrpcHandled, "grpc_server_handled_total", C,
       {"grpc_type", "grpc_service", "grpc_method", "grpc_code"}, {}, "Calls ended, by status code"},
      {Metric::kGrpcHandling, "grpc_server_handling_seconds", H, {"grpc_type", "grpc_service", "grpc_method"}, seconds,
       "Time from the request read to the status sent"},
      {Metric::kRequestsInFlight, "attend_requests_in_flight", G, {"method"}, {}, "Calls running now"},
      {Metric::kItems, "attend_items_total", C, {"method", "model", "outcome"}, {},
       "Items (texts of a call) by outcome: ok or the reason of the error"},
      {Metric::kItemDuration, "attend_item_duration_seconds", H, {"method", "model"}, seconds,
       "Time of one item, waiting included"},
      {Metric::kPhaseDuration, "attend_phase_duration_seconds", H, {"model", "phase"}, seconds,
       "Time of a call in one phase: tokenize, queue, encode, decode, attention or detokenize"},
      {Metric::kTimeToFirstToken, "attend_time_to_first_token_seconds", H, {"model"}, seconds,
       "Time from submission to the first token of a sequence"},
      {Metric::kTimePerOutputToken, "attend_time_per_output_token_seconds", H, {"model"}, token_seconds,
       "Time of a decode step, which is one token for every sequence in it"},
      {Metric::kInputTokens, "attend_input_tokens_total", C, {"model"}, {}, "Tokens read"},
      {Metric::kOutputTokens, "attend_output_tokens_total", C, {"model"}, {}, "Tokens written for callers"},
      {Metric::kItemInputTokens, "attend_item_input_tokens", H, {"model"}, tokens, "Tokens read per item"},
      {Metric::kItemOutputTokens, "attend_item_output_tokens", H, {"model"}, tokens, "Tokens written per item"},
      {Metric::kItemSegments, "attend_item_segments", H, {"model"}, few, "Segments that an item was split into"},
      {Metric::kQueueItems, "attend_queue_items", G, {"model"}, {}, "Sequences waiting"},
      {Metric::kQueueTokens, "attend_queue_tokens", G, {"model"}, {}, "Source tokens waiting"},
      {Metric::kQueueCapacityTokens, "attend_queue_capacity_tokens", G, {"model"}, {},
       "Source tokens that may wait before calls are refused"},
      {Metric::kQueueOldest, "attend_queue_oldest_seconds", G, {"model"}, {}, "Age of the oldest waiting sequence"},
      {Metric::kActiveSequences, "attend_active_sequences", G, {"model"}, {}, "Sequences being decoded"},
      {Metric::kBatchItems, "attend_batch_items", H, {"model", "phase"}, batch_items,
       "Sequences in one step: encode, decode or forced"},
      {Metric::kBatchTokens, "attend_batch_tokens", H, {"model", "phase"}, batch_tokens, "Rows computed in one step"},
      {Metric::kDecodeSteps, "attend_decode_steps_total", C, {"model"}, {}, "Decode steps run"},
      {Metric::kKvCacheBytes, "attend_kv_cache_bytes", G, {"model"}, {}, "Bytes of keys and values held"},
      {Metric::kKvCacheCapacityBytes, "attend_kv_cache_capacity_bytes", G, {"model"}, {},
       "Bytes of keys and values that may be held"},
      {Metric::kRefused, "attend_refused_total", C, {"model", "reason"}, {},
       "Calls refused before running: queue_full, memory or shutting_down"},
      {Metric::kCancelled, "attend_cancelled_total", C, {"model", "cause", "stage"}, {},
       "Sequences given up: by client, deadline or shutdown, while queued, in encode or in decode"},
      {Metric::kWastedTokens, "attend_wasted_tokens_total", C, {"model", "cause"}, {},
       "Tokens computed for sequences that were given up"},
      {Metric::kSlowReaders, "attend_slow_readers_total", C, {"method"}, {},
       "Streams cancelled because the client did not read"},
      {Metric::kFinish, "attend_finish_total", C, {"model", "reason"}, {},
       "Best hypotheses by finish reason: END_OF_SEQUENCE, MAX_TOKENS or REPETITION"},
      {Metric::kTruncatedItems, "attend_truncated_items_total", C, {"model"}, {}, "Items whose input was cut"},
      {Metric::kSequenceScore, "attend_sequence_score", H, {"model"}, scores,
       "Score of the best hypothesis of an item"},
      {Metric::kAttentionRequests, "attend_attention_requests_total", C, {"model", "kind"}, {},
       "Calls that asked for attention, by kind: encoder_self, decoder_self, cross or align"},
      {Metric::kAttentionBytes, "attend_attention_bytes", H, {"model"}, bytes, "Bytes of weights sent per answer"},
      {Metric::kWorkerBusy, "attend_worker_busy_seconds_total", C, {"pool"}, {},
       "Time that the models' loops spent in steps"},
      {Metric::kWorkers, "attend_workers", G, {"pool"}, {}, "Loops of models, one a model"},
      {Metric::kLogMessages, "attend_log_messages_total", C, {"level"}, {}, "Log records written"},
      {Metric::kProcessCpu, "process_cpu_seconds_total", C, {}, {}, "User and system time of the process"},
      {Metric::kProcessResidentMemory, "process_resident_memory_bytes", G, {}, {}, "Resident memory"},
      {Metric::kProcessVirtualMemory, "process_virtual_memory_bytes", G, {}, {}, "Virtual memory"},
      {Metric::kProcessOpenFds, "process_open_fds", G, {}, {}, "Open file descriptors"},
      {Metric::kProcessMaxFds, "process_max_fds", G, {}, {}, "File descriptors that may be open"},
      {Metric::kProcessStartTime, "process_start_time_seconds", G, {}, {}, "Start of the process, Unix time"},
      {Metric::kProcessThreads, "process_threads", G, {}, {}, "Threads of the process"},
  };
}

}  // namespace

const std::vector<MetricRow>& MetricTable() {
  static const auto* const table = [] {
    auto* made = new std::vector<MetricRow>(MakeTable());
    for (size_t i = 0; i < made->size(); ++i) {
      ATTEND_CHECK(static_cast<size_t>((*made)[i].metric) == i, "a metric's row stands at its place in the enum");
    }
    return made;
  }();
  return *table;
}

}  // namespace attend::server
