// A bar is a share of one, not of the largest: a flat list looks flat.
#include "client/query_view.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "client/text_width.h"

namespace attend::client {
namespace {

constexpr int kPercentWidth = 6;  // " 100 %"
constexpr int kMaxBarWidth = 48;
constexpr Rgb kBar{188, 55, 84};  // of the heat map's ramp

}  // namespace

std::string RenderAnswers(const std::vector<RankedAnswer>& answers, const Terminal& terminal) {
  std::vector<std::string> labels;
  int label_width = 0;
  for (const RankedAnswer& answer : answers) {
    labels.push_back(CutToWidth(Printable(answer.text), std::max(6, terminal.columns / 2),
                                terminal.unicode ? "…" : "~"));
    label_width = std::max(label_width, DisplayWidth(labels.back()));
  }
  const int room = std::clamp(terminal.columns - label_width - kPercentWidth - 2, 4, kMaxBarWidth);
  std::string out;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const float weight =
        std::isfinite(answers[i].weight) ? std::clamp(answers[i].weight, 0.0f, 1.0f) : 0.0f;
    const auto percent = std::to_string(std::lround(weight * 100));
    out += Bold(terminal.color) + PadRight(labels[i], label_width) + ResetStyle(terminal.color);
    out += PadLeft(percent, kPercentWidth - 2) + " %  ";
    out += Foreground(terminal.color, kBar);
    const long cells = std::lround(weight * static_cast<float>(room));
    for (long c = 0; c < cells; ++c) out += terminal.unicode ? "█" : "#";
    out += ResetStyle(terminal.color);
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += "\n";
  }
  return out;
}

std::string RenderQuery(const std::string& text, std::size_t begin, std::size_t end,
                        const Terminal& terminal) {
  const std::string before = Printable(text.substr(0, begin));
  const std::string query = Printable(text.substr(begin, end - begin));
  const std::string after = Printable(text.substr(end));
  if (terminal.color == ColorDepth::kNone) return before + "[" + query + "]" + after + "\n";
  return before + Bold(terminal.color) + Foreground(terminal.color, kBar) + query +
         ResetStyle(terminal.color) + after + "\n";
}

}  // namespace attend::client
