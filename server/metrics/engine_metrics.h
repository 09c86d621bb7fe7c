// Steps, queue and cancellations of one model's loop as series.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "engine/scheduler/engine_observer.h"
#include "server/metrics/metric_families.h"

namespace attend::server {

// Creates all series of the loop with zero. `families` is borrowed.
std::unique_ptr<EngineObserver> MakeEngineMetrics(const std::string& model,
                                                  MetricFamilies* families);

}  // namespace attend::server
