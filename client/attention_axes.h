// From attention messages to heat maps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attend/v1/attention.pb.h"
#include "client/attention_view.h"

namespace attend::client {

// The heat map of one matrix, with labels from the axes: words or tokens as asked for, whichever
// the matrix counts. Nothing when the matrix contradicts itself (sizes, offsets or columns out of
// range).
std::optional<HeatMap> ToHeatMap(const attend::v1::Attention& axes,
                                 const attend::v1::AttentionMatrix& matrix,
                                 attend::v1::AttentionGranularity granularity);

}  // namespace attend::client
