// Sentences keep their line breaks in the text and lose them in lists. Styles end before every line
// break, so that a pager or a copied line never carries half of one.
#include "client/summary_view.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "client/text_width.h"

namespace attend::client {
namespace {

constexpr Rgb kSelected = {208, 124, 0};  // readable on black and on white
constexpr std::size_t kMostExplained = 3;

bool Fits(const SummarySentence& sentence, const SummaryView& view) {
  return sentence.begin < sentence.end && sentence.end <= view.text.size();
}

// White space of any kind becomes one space.
std::string OnOneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool space = c == ' ' || (c >= '\t' && c <= '\r');
    if (!space) line += c;
    if (space && !line.empty() && line.back() != ' ') line += ' ';
  }
  return Printable(line);
}

std::string SentenceText(const SummaryView& view, std::size_t index) {
  if (index >= view.sentences.size() || !Fits(view.sentences[index], view)) return "";
  const SummarySentence& sentence = view.sentences[index];
  return OnOneLine(
      std::string_view(view.text).substr(sentence.begin, sentence.end - sentence.begin));
}

// Printable, with line breaks and tabs kept; each line between `begin` and `end`.
std::string WithLayout(std::string_view text, const std::string& begin, const std::string& end) {
  std::string out;
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out += begin + Printable(line) + end;
    line.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] != '\n' && text[i] != '\t') {
      line += text[i];
      continue;
    }
    flush();
    out += text[i];
  }
  flush();
  return out;
}

std::string Decimals(float value, const char* format) {
  char text[32];
  std::snprintf(text, sizeof text, format, static_cast<double>(value));
  return text;
}

std::vector<std::size_t> ByRank(const SummaryView& view) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < view.sentences.size(); ++i)
    if (Fits(view.sentences[i], view)) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&view](std::size_t a, std::size_t b) {
    return view.sentences[a].rank < view.sentences[b].rank;
  });
  return order;
}

std::string PartsText(const SummarySentence& sentence) {
  std::string text;
  for (const auto& [name, value] : sentence.parts)
    text += (text.empty() ? "" : ", ") + Printable(name) + " " + Decimals(value, "%+.2f");
  return text;
}

std::string Cut(const std::string& line, const Terminal& terminal) {
  if (!terminal.is_tty) return line;
  return CutToWidth(line, terminal.columns, terminal.unicode ? "\u2026" : "...");
}

// "   0.31  The sentence", a line each.
std::string WeightLines(const SummaryView& view, const std::vector<SentenceWeight>& weights,
                        const std::string& title, const Terminal& terminal) {
  std::string lines;
  for (std::size_t i = 0; i < std::min(weights.size(), kMostExplained); ++i) {
    const std::string text = SentenceText(view, weights[i].sentence);
    if (text.empty()) continue;
    lines += Cut("   " + PadRight(lines.empty() ? title : "", 12) +
                     Decimals(weights[i].weight, "%.2f") + "  " + text,
                 terminal) +
             "\n";
  }
  return lines;
}

// The other sentences by the weights in a row (what `index` attends to) or column (what attends to
// it) of the matrix.
std::vector<SentenceWeight> Strongest(const SummaryView& view, std::size_t index, bool row) {
  const std::size_t count = view.sentences.size();
  std::vector<SentenceWeight> weights;
  if (view.attention.size() != count * count) return weights;
  for (std::size_t other = 0; other < count; ++other) {
    if (other == index) continue;
    const float weight = view.attention[row ? index * count + other : other * count + index];
    if (weight > 0) weights.push_back({static_cast<uint32_t>(other), weight});
  }
  std::stable_sort(
      weights.begin(), weights.end(),
      [](const SentenceWeight& a, const SentenceWeight& b) { return a.weight > b.weight; });
  return weights;
}

std::string ExplainWritten(const SummaryView& view, const Terminal& terminal) {
  std::string out;
  for (const WrittenSentence& written : view.written) {
    out += Bold(terminal.color) + OnOneLine(written.text) + ResetStyle(terminal.color) + "\n";
    out += WeightLines(view, written.leans_on, "leans on", terminal);
  }
  return out;
}

}  // namespace

std::vector<SentenceWeight> AttendedBy(const SummaryView& view, std::size_t index) {
  return Strongest(view, index, /*row=*/true);
}

std::string RenderHighlights(const SummaryView& view, const Terminal& terminal) {
  const bool has_color = terminal.color != ColorDepth::kNone;
  const std::string on =
      has_color ? Bold(terminal.color) + Foreground(terminal.color, kSelected) : std::string();
  const std::string off = has_color ? ResetStyle(terminal.color) : std::string();
  const std::string before = has_color ? "" : terminal.unicode ? "\u00AB" : "[[";
  const std::string after = has_color ? "" : terminal.unicode ? "\u00BB" : "]]";
  const std::string_view text = view.text;
  std::string out;
  std::size_t at = 0;
  for (const SummarySentence& sentence : view.sentences) {
    if (!sentence.is_selected || !Fits(sentence, view) || sentence.begin < at) continue;
    out += WithLayout(text.substr(at, sentence.begin - at), "", "");
    out += before;
    out += WithLayout(text.substr(sentence.begin, sentence.end - sentence.begin), on, off);
    out += after;
    at = sentence.end;
  }
  out += WithLayout(text.substr(at), "", "");
  if (out.empty() || out.back() != '\n') out += '\n';
  return out;
}

std::string RenderScores(const SummaryView& view, const Terminal& terminal) {
  const std::vector<std::size_t> order = ByRank(view);
  std::vector<std::string> names;
  for (const std::size_t i : order) {
    for (const auto& part : view.sentences[i].parts)
      if (std::find(names.begin(), names.end(), part.first) == names.end())
        names.push_back(part.first);
  }
  std::string heading = " RANK   SCORE";
  for (const std::string& name : names) heading += "  " + PadLeft(Printable(name), 8);
  std::string table = Bold(terminal.color) + Cut(heading + "  SENTENCE", terminal) +
                      ResetStyle(terminal.color) + "\n";
  for (const std::size_t i : order) {
    const SummarySentence& sentence = view.sentences[i];
    std::string line = PadLeft(std::to_string(sentence.rank), 5) +
                       (sentence.is_selected ? "*" : " ") +
                       PadLeft(Decimals(sentence.score, "%.4f"), 7);
    for (const std::string& name : names) {
      std::string value;
      for (const auto& part : sentence.parts)
        if (part.first == name) value = Decimals(part.second, "%+.2f");
      line += "  " + PadLeft(value, std::max(8, DisplayWidth(Printable(name))));
    }
    table += Cut(line + "  " + SentenceText(view, i), terminal) + "\n";
  }
  return table;
}

std::string RenderExplanation(const SummaryView& view, const Terminal& terminal) {
  if (!view.written.empty()) return ExplainWritten(view, terminal);
  std::string out;
  for (std::size_t i = 0; i < view.sentences.size(); ++i) {
    const SummarySentence& sentence = view.sentences[i];
    if (!sentence.is_selected || !Fits(sentence, view)) continue;
    out += Bold(terminal.color) + SentenceText(view, i) + ResetStyle(terminal.color) + "\n";
    const std::string parts = PartsText(sentence);
    out += "   rank " + std::to_string(sentence.rank) + ", score " +
           Decimals(sentence.score, "%.4f") + (parts.empty() ? "" : ": " + parts) + "\n";
    out += WeightLines(view, Strongest(view, i, /*row=*/false), "read by", terminal);
    out += WeightLines(view, AttendedBy(view, i), "reads", terminal);
  }
  return out;
}

}  // namespace attend::client
