// Messages go to standard error, so that a page on standard output stays one.
#include "client/report/report_output.h"

#include <cstdio>
#include <utility>

#include "client/exit_code.h"
#include "client/text_width.h"
#include "client/whole_file.h"

namespace attend::client {
namespace {

std::string Megabytes(std::size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, bytes < 100000 ? "%.0f kB" : "%.1f MB",
                static_cast<double>(bytes) / (bytes < 100000 ? 1e3 : 1e6));
  return text;
}

}  // namespace

int WriteReportPage(Session* session, const std::string& path, ReportPage page) {
  const WrittenReport report = WriteHtmlReport(std::move(page));
  for (const std::string& note : report.notes) session->Tell(note);
  if (path == "-") {
    session->out().Write(report.html);
    return kExitOk;
  }
  const std::string error = WriteWholeFile(path, report.html);
  if (!error.empty()) {
    session->Tell("cannot write " + Printable(path) + ": " + error);
    return kExitFailed;
  }
  session->Tell("wrote " + Printable(path) + ", " + Megabytes(report.html.size()));
  return kExitOk;
}

}  // namespace attend::client
