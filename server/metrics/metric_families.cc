// prometheus-cpp builds families through templates; they are instantiated here and nowhere else.
#include "server/metrics/metric_families.h"

#include "engine/base/check.h"

namespace attend::server {
namespace {

prometheus::Labels LabelsOf(Metric metric, const std::vector<std::string>& values) {
  const MetricRow& row = RowOf(metric);
  ATTEND_CHECK(values.size() == row.labels.size(),
               "a series has one value for each label of its row");
  prometheus::Labels labels;
  for (size_t i = 0; i < values.size(); ++i) labels[row.labels[i]] = values[i];
  return labels;
}

}  // namespace

MetricFamilies::MetricFamilies() {
  for (const MetricRow& row : MetricTable()) {
    if (std::string(row.name).rfind("process_", 0) == 0 || row.metric == Metric::kLogMessages)
      continue;  // collected
    switch (row.type) {
      case MetricType::kCounter:
        counters_[row.metric] =
            &prometheus::BuildCounter().Name(row.name).Help(row.help).Register(registry_);
        break;
      case MetricType::kGauge:
        gauges_[row.metric] =
            &prometheus::BuildGauge().Name(row.name).Help(row.help).Register(registry_);
        break;
      case MetricType::kHistogram:
        histograms_[row.metric] =
            &prometheus::BuildHistogram().Name(row.name).Help(row.help).Register(registry_);
        break;
    }
  }
}

prometheus::Counter& MetricFamilies::Counter(Metric metric,
                                             const std::vector<std::string>& values) {
  return counters_.at(metric)->Add(LabelsOf(metric, values));
}

prometheus::Gauge& MetricFamilies::Gauge(Metric metric, const std::vector<std::string>& values) {
  return gauges_.at(metric)->Add(LabelsOf(metric, values));
}

prometheus::Histogram& MetricFamilies::Histogram(Metric metric,
                                                 const std::vector<std::string>& values) {
  return histograms_.at(metric)->Add(LabelsOf(metric, values), RowOf(metric).buckets);
}

void MetricFamilies::Remove(Metric metric, prometheus::Gauge* gauge) {
  gauges_.at(metric)->Remove(gauge);
}

}  // namespace attend::server
