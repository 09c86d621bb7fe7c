// The source of the attention report's page, as it lies in this folder (cmake/AttendEmbed.cmake).
#pragma once

#include <string_view>

namespace attend::client {

extern const std::string_view kPageHtml;  // holds {{title}}, {{style}}, {{data}} and {{script}}
extern const std::string_view kReportCss;
extern const std::string_view kDataJs;
extern const std::string_view kThemeJs;
extern const std::string_view kMapCanvasJs;
extern const std::string_view kHeatMapJs;
extern const std::string_view kOverviewJs;
extern const std::string_view kRibbonsJs;
extern const std::string_view kSentencesJs;
extern const std::string_view kReportJs;

}  // namespace attend::client
