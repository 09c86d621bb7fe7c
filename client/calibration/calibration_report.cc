// Plain columns, so that a report reads the same in a file.
#include "client/calibration/calibration_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "client/text_width.h"

namespace attend::client {

Interval WilsonInterval(const HitRate& rate) {
  if (rate.count == 0) return {};
  constexpr double kZ = 1.959964;
  const double n = rate.count, p = rate.value();
  const double middle = (p + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ / (1 + kZ * kZ / n) * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

std::string FormatRate(const HitRate& rate) {
  if (rate.count == 0) return "-";
  const Interval interval = WilsonInterval(rate);
  char text[64];
  std::snprintf(text, sizeof text, "%5.1f %% [%.1f, %.1f]", 100 * rate.value(), 100 * interval.low,
                100 * interval.high);
  return text;
}

std::string FormatReport(const std::vector<ReportRow>& rows, const Terminal& terminal) {
  std::vector<ReportRow> lines = rows;
  lines.insert(lines.begin(), {"", "to choose by", "held out"});
  int label = 0, calibrated = 0;
  for (const ReportRow& row : lines) {
    label = std::max(label, DisplayWidth(row.label));
    calibrated = std::max(calibrated, DisplayWidth(row.calibrated));
  }
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == 0) out += Bold(terminal.color);
    out += PadRight(lines[i].label, label) + "  " + PadRight(lines[i].calibrated, calibrated) +
           "  " + lines[i].held_out;
    if (i == 0) out += ResetStyle(terminal.color);
    out += "\n";
  }
  return out;
}

}  // namespace attend::client
