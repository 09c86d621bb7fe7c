// How one summary looks on standard output.
#pragma once

#include <string>

#include "attend/v1/summarization.pb.h"
#include "client/summary_view.h"
#include "client/terminal.h"
#include "client/translation_printer.h"  // PrintedItem, CallCost

namespace attend::client {

enum class SummaryFormat { kPlain, kJson, kScores, kHighlights, kExplanation };

// The summary in the form that the views take. Of a written summary those sentences count as
// selected that a written one leaned on most.
SummaryView ViewOf(const std::string& source, const attend::v1::Summary& summary);

// Text for the output, line end included. A plain summary of a line of the input is one line.
std::string FormatSummary(const PrintedItem& item, const attend::v1::Summary& summary,
                          const CallCost& cost, SummaryFormat format, const Terminal& terminal);

}  // namespace attend::client
