// Writes the pages of the tests into a folder, to be looked at: report_demo FOLDER
#include <cstdio>
#include <string>
#include <utility>

#include "client/report/html_report.h"
#include "client/whole_file.h"
#include "tests/client/report_pages.h"

int main(int argc, char** argv) {
  using namespace attend::client;
  if (argc != 2) {
    std::fputs("usage: report_demo FOLDER\n", stderr);
    return 2;
  }
  const std::pair<const char*, ReportPage> pages[] = {{"small", SmallPage()},
                                                      {"strange", StrangePage()},
                                                      {"summary", SummaryPage()},
                                                      {"written_summary", WrittenSummaryPage()},
                                                      {"large", LargePage(512, 16)}};
  for (const auto& [name, page] : pages) {
    const std::string path = std::string(argv[1]) + "/" + name + ".html";
    const std::string error = WriteWholeFile(path, WriteHtmlReport(page).html);
    if (!error.empty()) {
      std::fprintf(stderr, "cannot write %s: %s\n", path.c_str(), error.c_str());
      return 1;
    }
    std::puts(path.c_str());
  }
  return 0;
}
