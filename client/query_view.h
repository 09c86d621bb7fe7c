// Answers of a query as a ranked list with bars.
#pragma once

#include <string>
#include <vector>

#include "client/terminal.h"

namespace attend::client {

struct RankedAnswer {
  std::string text;
  float weight = 0;  // 0 to 1
};

// One line an answer: its text, a bar as long as its share of the whole, and percent.
std::string RenderAnswers(const std::vector<RankedAnswer>& answers, const Terminal& terminal);

// The text with its query marked: by style, or by brackets without colour. Bytes [begin, end).
// REQUIRES: begin <= end <= text.size().
std::string RenderQuery(const std::string& text, std::size_t begin, std::size_t end,
                        const Terminal& terminal);

}  // namespace attend::client
