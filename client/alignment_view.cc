// Numbers carry the meaning and colour repeats it, so the map reads the same in a log file. Text
// between words is kept as the caller wrote it, which keeps punctuation and scripts without spaces
// right.
#include "client/alignment_view.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "client/text_width.h"

namespace attend::client {
namespace {

constexpr std::size_t kPaletteSize = 10;
// Readable on dark and light backgrounds; neighbours differ in hue.
constexpr std::array<Rgb, kPaletteSize> kPalette = {{{0, 135, 215},
                                                     {215, 95, 0},
                                                     {0, 155, 95},
                                                     {175, 95, 215},
                                                     {175, 135, 0},
                                                     {215, 55, 95},
                                                     {0, 155, 175},
                                                     {135, 135, 215},
                                                     {95, 155, 0},
                                                     {215, 95, 175}}};

constexpr int kIndent = 2;

std::string Number(std::size_t number, bool unicode) {
  static constexpr const char* kSuperscripts[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  const std::string digits = std::to_string(number);
  if (!unicode) return digits;
  std::string raised;
  for (const char digit : digits) raised += kSuperscripts[digit - '0'];
  return raised;
}

// A word as shown, or the text between two words.
struct Piece {
  std::string text;   // without style
  std::string style;  // escape sequence before the text; empty for plain
  bool is_word = false;
};

// Cuts the text at its words; words whose spans do not fit the text are joined by spaces instead.
std::vector<Piece> CutAtWords(const AlignedText& text, std::vector<Piece> shown_words) {
  uint32_t end = 0;
  bool spans_fit = true;
  for (const AlignedWord& word : text.words) {
    spans_fit =
        spans_fit && word.start >= end && word.end >= word.start && word.end <= text.text.size();
    end = word.end;
  }
  std::vector<Piece> pieces;
  end = 0;
  for (std::size_t i = 0; i < text.words.size(); ++i) {
    const uint32_t start = text.words[i].start;
    std::string gap = spans_fit ? Printable(std::string_view(text.text).substr(end, start - end))
                                : (i > 0 ? " " : "");
    if (!gap.empty()) pieces.push_back({std::move(gap), "", false});
    pieces.push_back(std::move(shown_words[i]));
    end = text.words[i].end;
  }
  if (spans_fit && end < text.text.size()) {
    pieces.push_back({Printable(std::string_view(text.text).substr(end)), "", false});
  }
  return pieces;
}

// Breaks lines between pieces; a line never begins with the space it was broken at.
std::string Wrap(const std::vector<Piece>& pieces, const Terminal& terminal) {
  const int limit = std::max(terminal.columns, 20);
  std::string out(kIndent, ' ');
  int used = kIndent;
  for (const Piece& piece : pieces) {
    std::string_view text = piece.text;
    if (used > kIndent && used + DisplayWidth(text) > limit) {
      out.erase(out.find_last_not_of(' ') + 1);
      out.append("\n").append(kIndent, ' ');
      used = kIndent;
      while (!piece.is_word && !text.empty() && text.front() == ' ') text.remove_prefix(1);
    }
    out.append(piece.style).append(text);
    if (!piece.style.empty()) out.append(ResetStyle(terminal.color));
    used += DisplayWidth(text);
  }
  out.erase(out.find_last_not_of(' ') + 1);
  return out + "\n";
}

std::vector<AlignedLink> ValidLinks(const Alignment& alignment) {
  std::vector<AlignedLink> links;
  for (const AlignedLink& link : alignment.links) {
    if (link.source_word < alignment.source.words.size() &&
        link.target_word < alignment.target.words.size()) {
      links.push_back(link);
    }
  }
  return links;
}

// The source word numbers behind one target word.
std::string JoinNumbers(std::vector<uint32_t> numbers, bool unicode) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::string joined;
  for (const uint32_t number : numbers) {
    if (!joined.empty()) joined += unicode ? "·" : ",";
    joined += Number(number, unicode);
  }
  return unicode ? joined : "[" + joined + "]";
}

}  // namespace

std::string RenderAlignment(const Alignment& alignment, const Terminal& terminal) {
  const std::vector<AlignedLink> links = ValidLinks(alignment);
  // Linked source words are numbered from 1 in reading order.
  std::vector<uint32_t> numbers(alignment.source.words.size(), 0);
  for (const AlignedLink& link : links) numbers[link.source_word] = 1;
  uint32_t next = 1;
  for (uint32_t& number : numbers) {
    if (number != 0) number = next++;
  }
  const auto color_of = [&](uint32_t number) {
    return Foreground(terminal.color, kPalette[(number - 1) % kPaletteSize]);
  };
  std::vector<Piece> source;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::string text = Printable(alignment.source.words[i].text);
    if (numbers[i] == 0) {
      source.push_back({text, Dim(terminal.color), true});
    } else {
      source.push_back(
          {text + JoinNumbers({numbers[i]}, terminal.unicode), color_of(numbers[i]), true});
    }
  }
  std::vector<std::vector<const AlignedLink*>> links_of(alignment.target.words.size());
  for (const AlignedLink& link : links) links_of[link.target_word].push_back(&link);
  std::vector<Piece> target;
  for (std::size_t i = 0; i < links_of.size(); ++i) {
    const std::string text = Printable(alignment.target.words[i].text);
    if (links_of[i].empty()) {
      target.push_back({text, Dim(terminal.color), true});
      continue;
    }
    std::vector<uint32_t> linked;
    const AlignedLink* strongest = links_of[i].front();
    for (const AlignedLink* link : links_of[i]) {
      linked.push_back(numbers[link->source_word]);
      if (link->score > strongest->score) strongest = link;
    }
    target.push_back({text + JoinNumbers(std::move(linked), terminal.unicode),
                      color_of(numbers[strongest->source_word]), true});
  }
  return Wrap(CutAtWords(alignment.source, std::move(source)), terminal) +
         Wrap(CutAtWords(alignment.target, std::move(target)), terminal);
}

std::string FormatPharaoh(const std::vector<AlignedLink>& links) {
  std::vector<std::pair<uint32_t, uint32_t>> pairs;
  for (const AlignedLink& link : links) pairs.emplace_back(link.source_word, link.target_word);
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  std::string line;
  for (const auto& [source, target] : pairs) {
    if (!line.empty()) line += ' ';
    line += std::to_string(source) + "-" + std::to_string(target);
  }
  return line;
}

}  // namespace attend::client
