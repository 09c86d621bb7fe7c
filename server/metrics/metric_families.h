// The table's rows as prometheus-cpp families, and the one way to a series: metric and label values
// in the order of the row's labels. Asking for a series creates it with zero; the reference stays
// valid while the families live.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/metrics/metric_table.h"

namespace attend::server {

class MetricFamilies {
 public:
  MetricFamilies();

  prometheus::Counter& Counter(Metric metric, const std::vector<std::string>& values = {});
  prometheus::Gauge& Gauge(Metric metric, const std::vector<std::string>& values = {});
  prometheus::Histogram& Histogram(Metric metric, const std::vector<std::string>& values = {});
  void Remove(Metric metric, prometheus::Gauge* gauge);

  std::vector<prometheus::MetricFamily> Collect() const { return registry_.Collect(); }

 private:
  prometheus::Registry registry_;
  std::map<Metric, prometheus::Family<prometheus::Counter>*> counters_;
  std::map<Metric, prometheus::Family<prometheus::Gauge>*> gauges_;
  std::map<Metric, prometheus::Family<prometheus::Histogram>*> histograms_;
};

}  // namespace attend::server
