// Tiles are as wide as their column's label, so a reader never has to count columns; the square
// root of the weight picks the shade, because most weights of a row are small and would all look
// the same.
#include "client/attention_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "client/text_width.h"

namespace attend::client {
namespace {

constexpr int kMaxColumnLabelWidth = 14;
constexpr std::size_t kNumStops = 5;
constexpr std::array<Rgb, kNumStops> kRamp = {
    {{24, 15, 62}, {87, 16, 110}, {188, 55, 84}, {249, 142, 9}, {252, 255, 164}}};

Rgb Shade(float strength) {
  const float position = std::clamp(strength, 0.0f, 1.0f) * static_cast<float>(kNumStops - 1);
  const auto low = std::min(static_cast<std::size_t>(position), kNumStops - 2);
  const float part = position - static_cast<float>(low);
  const auto mix = [part](uint8_t a, uint8_t b) {
    return static_cast<uint8_t>(
        std::lround(static_cast<float>(a) + part * (static_cast<float>(b) - a)));
  };
  const Rgb &a = kRamp[low], &b = kRamp[low + 1];
  return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

Rgb TextOn(Rgb background) {
  const int luma = 299 * background.red + 587 * background.green + 114 * background.blue;
  return luma > 128000 ? Rgb{0, 0, 0} : Rgb{255, 255, 255};
}

const char* ShadeMark(float strength) {
  if (strength < 0.25f) return " ";
  if (strength < 0.5f) return "░";
  if (strength < 0.7f) return "▒";
  if (strength < 0.85f) return "▓";
  return "█";
}

std::string Percent(float weight, bool unicode) {
  if (std::isnan(weight)) return "";
  const long percent = std::lround(weight * 100);
  return percent <= 0 ? (unicode ? "·" : ".") : std::to_string(percent);
}

// Everything about a map that its blocks share.
struct Layout {
  const HeatMap& map;
  const Terminal& terminal;
  std::vector<std::string> rows, columns;  // labels as shown
  std::vector<int> column_widths;
  int row_label_width = 0;
  float largest = 0;
};

Layout MakeLayout(const HeatMap& map, const Terminal& terminal) {
  Layout layout{map, terminal, {}, {}, {}, 0, 0};
  const char* cut_mark = terminal.unicode ? "…" : "~";
  const int row_limit = std::max(6, terminal.columns / 3);
  for (const std::string& label : map.row_labels) {
    layout.rows.push_back(CutToWidth(Printable(label), row_limit, cut_mark));
    layout.row_label_width = std::max(layout.row_label_width, DisplayWidth(layout.rows.back()));
  }
  const bool has_marks = terminal.color == ColorDepth::kNone && terminal.unicode;
  const int column_limit =
      std::clamp(terminal.columns - layout.row_label_width - 1, 4, kMaxColumnLabelWidth);
  for (const std::string& label : map.column_labels) {
    layout.columns.push_back(CutToWidth(Printable(label), column_limit, cut_mark));
    layout.column_widths.push_back(
        std::max(DisplayWidth(layout.columns.back()), has_marks ? 4 : 3));
  }
  for (const float weight : map.weights) {
    if (weight > layout.largest) layout.largest = weight;
  }
  return layout;
}

void AppendCell(const Layout& layout, float weight, int width, std::string* out) {
  const ColorDepth color = layout.terminal.color;
  const std::string number = Percent(weight, layout.terminal.unicode);
  const float strength =
      std::isnan(weight) || layout.largest <= 0 ? 0 : std::sqrt(weight / layout.largest);
  if (color != ColorDepth::kNone) {
    if (number.empty()) {
      out->append(static_cast<std::size_t>(width), ' ');
      return;
    }
    const Rgb shade = Shade(strength);
    out->append(Background(color, shade)).append(Foreground(color, TextOn(shade)));
    out->append(PadLeft(number, width)).append(ResetStyle(color));
  } else if (layout.terminal.unicode) {
    out->append(PadLeft(number, width - 1)).append(number.empty() ? " " : ShadeMark(strength));
  } else {
    out->append(PadLeft(number, width));
  }
}

void TrimSpacesAtEnd(std::string* text) { text->erase(text->find_last_not_of(' ') + 1); }

void AppendBlock(const Layout& layout, std::size_t first, std::size_t last, std::string* out) {
  const ColorDepth color = layout.terminal.color;
  std::string header(static_cast<std::size_t>(layout.row_label_width), ' ');
  for (std::size_t c = first; c < last; ++c)
    header.append(" ").append(PadLeft(layout.columns[c], layout.column_widths[c]));
  TrimSpacesAtEnd(&header);
  out->append(Bold(color)).append(header).append(ResetStyle(color)).append("\n");
  const std::size_t num_columns = layout.columns.size();
  for (std::size_t r = 0; r < layout.rows.size(); ++r) {
    std::string line =
        Bold(color) + PadLeft(layout.rows[r], layout.row_label_width) + ResetStyle(color);
    for (std::size_t c = first; c < last; ++c) {
      line += ' ';
      AppendCell(layout, layout.map.weights[r * num_columns + c], layout.column_widths[c], &line);
    }
    TrimSpacesAtEnd(&line);
    out->append(line).append("\n");
  }
}

// One past the last column of the block that begins at `first`: at least one column.
std::size_t BlockEnd(const Layout& layout, std::size_t first) {
  int used = layout.row_label_width;
  std::size_t last = first;
  while (last < layout.columns.size()) {
    used += 1 + layout.column_widths[last];
    if (used > layout.terminal.columns && last > first) break;
    ++last;
  }
  return last;
}

}  // namespace

std::string RenderHeatMap(const HeatMap& map, const Terminal& terminal) {
  const Layout layout = MakeLayout(map, terminal);
  const ColorDepth color = terminal.color;
  std::string out;
  if (!map.title.empty())
    out.append(Bold(color)).append(Printable(map.title)).append(ResetStyle(color)).append("\n");
  const std::size_t num_columns = layout.columns.size();
  for (std::size_t first = 0; first < num_columns;) {
    const std::size_t last = BlockEnd(layout, first);
    if (last - first < num_columns) {
      if (first > 0) out += "\n";
      out.append(Dim(color)).append("columns ").append(std::to_string(first + 1)).append("-");
      out.append(std::to_string(last)).append(" of ").append(std::to_string(num_columns));
      out.append(ResetStyle(color)).append("\n");
    }
    AppendBlock(layout, first, last, &out);
    first = last;
  }
  return out;
}

std::string HeatMapLegend(const Terminal& terminal) {
  const char* below_one = terminal.unicode ? "·" : ".";
  std::string legend = "percent of each row's attention; ";
  legend.append(below_one).append(" is below 0.5");
  if (terminal.color != ColorDepth::kNone) {
    legend += "; low ";
    for (int i = 0; i <= 8; ++i)
      legend.append(Background(terminal.color, Shade(static_cast<float>(i) / 8))).append(" ");
    legend.append(ResetStyle(terminal.color)).append(" high");
  }
  return legend + "\n";
}

}  // namespace attend::client
