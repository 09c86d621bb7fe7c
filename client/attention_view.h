// A matrix of attention weights as a heat map in text.
#pragma once

#include <string>
#include <vector>

#include "client/terminal.h"

namespace attend::client {

struct HeatMap {
  std::string title;                       // above the map; may be empty
  std::vector<std::string> row_labels;     // who attends
  std::vector<std::string> column_labels;  // what is attended to
  std::vector<float> weights;              // [rows, columns]; NaN where the weight was not kept
};

// Rows of percentages on shaded tiles; without colour a shade mark stands beside each number.
// Columns that do not fit the terminal go on in further blocks below, each with its own header.
// REQUIRES: weights.size() == rows * columns.
std::string RenderHeatMap(const HeatMap& map, const Terminal& terminal);

// One line that explains numbers and shades of RenderHeatMap.
std::string HeatMapLegend(const Terminal& terminal);

}  // namespace attend::client
