// How well something does on examples, and the table that compares ways of doing it.
#pragma once

#include <string>
#include <vector>

#include "client/terminal.h"

namespace attend::client {

// Hits among examples.
struct HitRate {
  int hits = 0, count = 0;
  double value() const { return count == 0 ? 0 : static_cast<double>(hits) / count; }
  void Add(bool hit) {
    hits += hit ? 1 : 0;
    ++count;
  }
};

// The interval of Wilson (1927) that holds the true rate in 95 of 100 cases.
struct Interval {
  double low = 0, high = 1;
};
Interval WilsonInterval(const HitRate& rate);

// "83.8 % [78.5, 87.9]"; "-" for no examples.
std::string FormatRate(const HitRate& rate);

struct ReportRow {
  std::string label;
  std::string calibrated, held_out;
};
// A table of three columns with a header line.
std::string FormatReport(const std::vector<ReportRow>& rows, const Terminal& terminal);

}  // namespace attend::client
