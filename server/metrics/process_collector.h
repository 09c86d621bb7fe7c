// process_* as Prometheus' own client libraries export them, read from /proc at scrape time, and
// the counts of log records, which the logger keeps.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace attend::server {

std::vector<prometheus::MetricFamily> CollectProcessMetrics();

}  // namespace attend::server
