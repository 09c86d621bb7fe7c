// Every metric that the server exports, as one table. docs/metrics.md is checked against it by a
// test. To add a metric: a row here, a row there, and the line that observes it.
#pragma once

#include <string>
#include <vector>

namespace attend::server {

enum class Metric {
  kBuildInfo,
  kReady,
  kModelInfo,
  kModelState,
  kModelWeightBytes,
  kModelLoadDuration,
  kModelLoads,
  kGrpcStarted,
  kGrpcHandled,
  kGrpcHandling,
  kRequestsInFlight,
  kItems,
  kItemDuration,
  kPhaseDuration,
  kTimeToFirstToken,
  kTimePerOutputToken,
  kInputTokens,
  kOutputTokens,
  kItemInputTokens,
  kItemOutputTokens,
  kItemSegments,
  kQueueItems,
  kQueueTokens,
  kQueueCapacityTokens,
  kQueueOldest,
  kActiveSequences,
  kBatchItems,
  kBatchTokens,
  kDecodeSteps,
  kKvCacheBytes,
  kKvCacheCapacityBytes,
  kResponseLookups,
  kResponseCacheEntries,
  kResponseCacheBytes,
  kResponseCacheCapacityBytes,
  kResponseCacheEvictions,
  kRefused,
  kCancelled,
  kWastedTokens,
  kSlowReaders,
  kFinish,
  kTruncatedItems,
  kSequenceScore,
  kSummaries,
  kSummarySentences,
  kAttentionRequests,
  kAttentionBytes,
  kWorkerBusy,
  kWorkers,
  kLogMessages,
  kProcessCpu,
  kProcessResidentMemory,
  kProcessVirtualMemory,
  kProcessOpenFds,
  kProcessMaxFds,
  kProcessStartTime,
  kProcessThreads,
};

enum class MetricType { kCounter, kGauge, kHistogram };

struct MetricRow {
  Metric metric;
  const char* name;
  MetricType type;
  std::vector<std::string> labels;
  std::vector<double> buckets;  // histograms only
  const char* help;
};

// In the order of the enum.
const std::vector<MetricRow>& MetricTable();
inline const MetricRow& RowOf(Metric metric) { return MetricTable()[static_cast<size_t>(metric)]; }

}  // namespace attend::server
