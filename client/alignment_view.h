// Links between the words of two texts, as a compact map in text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/terminal.h"

namespace attend::client {

struct AlignedWord {
  std::string text;
  uint32_t start = 0, end = 0;  // bytes of the whole text
};

struct AlignedText {
  std::string text;
  std::vector<AlignedWord> words;
};

struct AlignedLink {
  uint32_t source_word = 0, target_word = 0;
  float score = 0;
};

struct Alignment {
  AlignedText source, target;
  std::vector<AlignedLink> links;  // out-of-range ones are left out of every view
};

// Both texts, wrapped to the terminal. Every linked source word carries its number and a colour; a
// target word carries the numbers of the source words it comes from and the colour of the
// strongest. Words without a link are dim.
std::string RenderAlignment(const Alignment& alignment, const Terminal& terminal);

// Pharaoh format: "0-0 1-2", source word first, sorted. Empty without links.
std::string FormatPharaoh(const std::vector<AlignedLink>& links);

}  // namespace attend::client
