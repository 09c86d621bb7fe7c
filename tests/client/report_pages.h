// Pages for the tests of the report: small ones whose contents are known, and the largest and worst
// that must work.
#pragma once

#include <cstdint>
#include <string>

#include "client/report/html_report.h"

namespace attend::client {

// Text that tries to leave its place: the end of a script, an image with a handler, a template's
// braces, controls.
inline constexpr const char* kHostileText =
    "</script><img src=x onerror=\"document.title='hacked'\"><!-- {{data}} {{script}} ]]> & \" '";

// "The cat sat" and "Le chat assis": cross maps (a mean, two heads of each of two layers) and
// encoder maps, with links. In the map "layer 1, head 0" word i reads word i with 0.75.
ReportPage SmallPage();

// Three kinds of `length` x `length` words with a mean and `num_heads` heads each.
ReportPage LargePage(uint32_t length, uint32_t num_heads);

// Words that are long, hostile, right-to-left, East Asian, emoji, with controls and broken UTF-8.
ReportPage StrangePage();

// A text of two paragraphs and a list with seven sentences, two of them selected, with links
// between them.
ReportPage SummaryPage();

// The same text with a written summary of two sentences.
ReportPage WrittenSummaryPage();

}  // namespace attend::client
