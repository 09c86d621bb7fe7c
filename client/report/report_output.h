// A page for the browser, written to where the user wants it.
#pragma once

#include <string>

#include "client/report/html_report.h"
#include "client/session.h"

namespace attend::client {

// Writes the page to the path, whole or not at all; "-" is standard output. Tells what was left out
// of it, and how it went. Returns the exit code.
int WriteReportPage(Session* session, const std::string& path, ReportPage page);

}  // namespace attend::client
