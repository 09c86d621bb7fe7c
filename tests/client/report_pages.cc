#include "tests/client/report_pages.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace attend::client {
namespace {

// Each row reads its own place with `strength` and its neighbours with the rest, less the further
// away.
std::vector<float> Diagonal(std::size_t rows, std::size_t columns, float strength, float width) {
  std::vector<float> weights(rows * columns);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t own = std::min(row, columns - 1);
    float sum = 0;
    for (std::size_t column = 0; column < columns; ++column) {
      if (column == own) continue;
      const float distance = static_cast<float>(column) - static_cast<float>(own);
      weights[row * columns + column] = std::exp(-distance * distance / width);
      sum += weights[row * columns + column];
    }
    for (std::size_t column = 0; column < columns; ++column) {
      float& weight = weights[row * columns + column];
      weight = column == own ? strength : weight / sum * (1 - strength);
    }
  }
  return weights;
}

ReportMap Head(uint32_t layer, uint32_t head, std::vector<float> weights) {
  return {"layer " + std::to_string(layer) + ", head " + std::to_string(head), layer, head,
          PackWeights(weights)};
}

AlignedText TextOf(const std::vector<std::string>& words) {
  AlignedText text;
  for (const std::string& word : words) {
    if (!text.text.empty()) text.text += ' ';
    const auto start = static_cast<uint32_t>(text.text.size());
    text.text += word;
    text.words.push_back({word, start, static_cast<uint32_t>(text.text.size())});
  }
  return text;
}

ReportKind CrossOf(const std::vector<std::string>& rows, const std::vector<std::string>& columns) {
  ReportKind kind{"cross", "Cross: target words read source words", rows, columns, {}, 0};
  kind.maps.push_back({"mean of 4 heads", std::nullopt, std::nullopt,
                       PackWeights(Diagonal(rows.size(), columns.size(), 0.6f, 2))});
  return kind;
}

ReportSentences SentencesOf(const std::vector<std::string>& parts) {
  ReportSentences text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto start = static_cast<uint32_t>(text.text.size());
    text.text += parts[i];
    if (i % 2 == 0) {
      text.sentences.push_back(
          {start, static_cast<uint32_t>(text.text.size()), std::nullopt, std::nullopt, false});
    }
  }
  return text;
}

}  // namespace

ReportPage SmallPage() {
  const std::vector<std::string> source = {"The", "cat", "sat"}, target = {"Le", "chat", "assis"};
  ReportPage page;
  page.title = "Attention of models/small";
  page.subtitle = "4 tokens read, 4 tokens written.";
  ReportKind cross = CrossOf(target, source);
  for (uint32_t layer = 0; layer < 2; ++layer) {
    cross.maps.push_back(
        {"mean of 2 heads", layer, std::nullopt, PackWeights(Diagonal(3, 3, 0.5f, 2))});
    for (uint32_t head = 0; head < 2; ++head) {
      cross.maps.push_back(Head(
          layer, head,
          Diagonal(3, 3, layer == 1 && head == 0 ? 0.75f : 0.4f, 1.0f + static_cast<float>(head))));
    }
  }
  page.kinds.push_back(std::move(cross));
  ReportKind encoder{"encoder", "Encoder: source words read each other", source, source, {}, 0};
  encoder.maps.push_back(Head(0, 0, Diagonal(3, 3, 0.9f, 1)));
  page.kinds.push_back(std::move(encoder));
  page.alignment =
      Alignment{TextOf(source), TextOf(target), {{0, 0, 0.9f}, {1, 1, 0.8f}, {2, 2, 0.3f}}};
  return page;
}

ReportPage LargePage(uint32_t length, uint32_t num_heads) {
  std::vector<std::string> words;
  for (uint32_t i = 0; i < length; ++i) words.push_back("word" + std::to_string(i));
  ReportPage page;
  page.title = "Attention of models/large";
  for (const char* name : {"cross", "encoder", "decoder"}) {
    ReportKind kind = CrossOf(words, words);
    kind.name = kind.title = name;
    for (uint32_t head = 0; head < num_heads; ++head) {
      kind.maps.push_back(
          Head(0, head, Diagonal(length, length, 0.3f, 20.0f * static_cast<float>(head + 1))));
    }
    page.kinds.push_back(std::move(kind));
  }
  Alignment alignment{TextOf(words), TextOf(words), {}};
  for (uint32_t i = 0; i < length; ++i) alignment.links.push_back({i, i, 0.5f});
  page.alignment = std::move(alignment);
  return page;
}

ReportPage StrangePage() {
  const std::vector<std::string> source = {
      "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
      kHostileText,
      "مرحبا",
      "שלום",
      "注意力",
      "を見せる",
      "👩‍👩‍👧‍👦",
      "\x1b[31mred",
      "line\nbreak",
      "bad\xff"
      "bytes",
      "\xe2\x80\xae"
      "turned"};
  const std::vector<std::string> target = {"mot",   "</script>", "العالم",   "עולם",
                                           "世界",  "見",        "👍🏽", "rouge",
                                           "ligne", "octets",    "tourné"};
  ReportPage page;
  page.title = kHostileText;
  page.subtitle = kHostileText;
  page.notes = {kHostileText};
  page.kinds.push_back(CrossOf(target, source));
  Alignment alignment{TextOf(source), TextOf(target), {{99, 0, 0.5f}, {0, 99, 0.5f}}};
  for (uint32_t i = 0; i < source.size(); ++i)
    alignment.links.push_back({i, static_cast<uint32_t>(source.size() - 1 - i), 0.7f});
  page.alignment = std::move(alignment);
  return page;
}

ReportPage SummaryPage() {
  ReportSentences text = SentencesOf({"The town library opens again on Monday.", " ",
                                      "It was closed for two years while the roof was repaired.",
                                      " ", "Costs rose to 4.5 million, twice what was planned.",
                                      "\n\n", "Readers will find a larger reading room.", "\n  - ",
                                      "New chairs came from a local carpenter.", "\n  - ",
                                      "The children's corner has moved to the ground floor.",
                                      "\n\n", "“We missed the place,” said a teacher.", "\n"});
  const float scores[] = {0.91f, 0.62f, 0.74f, 0.55f, 0.18f, 0.2f, 0.35f};
  const uint32_t ranks[] = {1, 3, 2, 4, 7, 6, 5};
  for (std::size_t i = 0; i < text.sentences.size(); ++i) {
    text.sentences[i].score = scores[i];
    text.sentences[i].rank = ranks[i];
    text.sentences[i].is_selected = ranks[i] <= 2;
  }
  ReportSummary summary;
  summary.source = std::move(text);
  for (uint32_t from = 0; from < 7; ++from) {
    summary.links.push_back({from, 0, from == 0 ? 0.4f : 0.3f});
    summary.links.push_back({from, (from + 2) % 7, 0.2f});
  }
  summary.links.push_back({0, 70, 0.5f});
  ReportPage page;
  page.title = "Summary of a text";
  page.subtitle = "7 sentences, 2 selected.";
  page.summary = std::move(summary);
  return page;
}

ReportPage WrittenSummaryPage() {
  ReportPage page = SummaryPage();
  page.summary->written =
      SentencesOf({"The library is open again.", " ", "The repair cost 4.5 million."});
  page.summary->links = {{0, 0, 0.6f}, {0, 3, 0.2f}, {1, 2, 0.7f}, {1, 1, 0.1f}};
  return page;
}

}  // namespace attend::client
