// A summary as a page for the browser: the text with its sentences marked, and what leans on what.
#pragma once

#include <string>

#include "client/report/html_report.h"
#include "client/summary_view.h"

namespace attend::client {

// `summary` is the text of the summary. Links go from a sentence of the summary to those that it
// attends to most, or that it was written from.
ReportPage SummaryPage(const SummaryView& view, const std::string& summary);

}  // namespace attend::client
