// Line positions are a promise: line n of the output belongs to line n of the input, so line ends
// inside a translation become spaces.
#include "client/translation_printer.h"

#include <cstdio>

#include "client/json_output.h"

namespace attend::client {
namespace {

std::string OnOneLine(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

// Text of the command line may have several lines and keeps them.
std::string PlainText(const PrintedItem& item, const std::string& text) {
  return item.line == 0 ? text : OnOneLine(text);
}

std::string NBestLines(const PrintedItem& item, const attend::v1::Translation& translation) {
  std::string lines;
  for (const auto& hypothesis : translation.hypotheses()) {
    char score[32];
    std::snprintf(score, sizeof score, "%.4f\t", static_cast<double>(hypothesis.score()));
    if (item.line > 0) lines += std::to_string(item.line) + "\t";
    lines += score + OnOneLine(hypothesis.text()) + "\n";
  }
  return lines;
}

Json ItemJson(const PrintedItem& item) {
  Json json;
  if (item.line > 0) json["line"] = item.line;
  json["source"] = item.source;
  return json;
}

}  // namespace

Alignment AlignmentOf(const std::string& source, const attend::v1::Translation& translation) {
  Alignment alignment;
  alignment.source.text = source;
  alignment.target.text = translation.text();
  for (const auto& word : translation.source_words()) {
    alignment.source.words.push_back({word.text(), word.span().start(), word.span().end()});
  }
  for (const auto& word : translation.target_words()) {
    alignment.target.words.push_back({word.text(), word.span().start(), word.span().end()});
  }
  for (const auto& link : translation.links()) {
    alignment.links.push_back({link.source_word(), link.target_word(), link.score()});
  }
  return alignment;
}

std::string FormatTranslation(const PrintedItem& item, const attend::v1::Translation& translation,
                              const CallCost& cost, TranslationFormat format,
                              const Terminal& terminal) {
  switch (format) {
    case TranslationFormat::kPlain:
      return PlainText(item, translation.text()) + "\n";
    case TranslationFormat::kNBest:
      return NBestLines(item, translation);
    case TranslationFormat::kJson: {
      Json json = ItemJson(item);
      json.update(ToJson(translation));
      json["timing"] = ToJson(cost.usage);
      json["timing"]["texts"] = cost.num_texts;
      return JsonLine(json);
    }
    case TranslationFormat::kAligned:
      return PlainText(item, translation.text()) + "\n" +
             RenderAlignment(AlignmentOf(item.source, translation), terminal);
  }
  return "";
}

std::string FormatFailedItem(const PrintedItem& item, const CallError& error,
                             TranslationFormat format) {
  if (format == TranslationFormat::kNBest) return "";
  if (format != TranslationFormat::kJson) return "\n";
  Json json = ItemJson(item);
  json["error"] = ToJson(error);
  return JsonLine(json);
}

}  // namespace attend::client
