// Texts are cut here, where spans are bytes: the page gets the pieces and never counts characters.
// Data stands in the page as JSON in which <, > and & are escaped, so no text can end the element
// it stands in.
#include "client/report/html_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "client/report/report_files.h"
#include "client/report/report_maps.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

using Json = nlohmann::ordered_json;

struct Span {
  uint32_t start = 0, end = 0;
};

// The text between spans: one gap before each span and one after the last. Empty when the spans do
// not fit the text.
std::vector<std::string> GapsBetween(const std::string& text, const std::vector<Span>& spans) {
  std::vector<std::string> gaps;
  uint32_t end = 0;
  for (const Span& span : spans) {
    if (span.start < end || span.end < span.start || span.end > text.size()) return {};
    gaps.push_back(text.substr(end, span.start - end));
    end = span.end;
  }
  gaps.push_back(text.substr(end));
  return gaps;
}

Json Rounded(float value) {
  if (!std::isfinite(value)) return nullptr;
  return std::round(static_cast<double>(value) * 1e5) / 1e5;
}

Json TextJson(const AlignedText& text) {
  std::vector<Span> spans;
  Json words = Json::array();
  for (const AlignedWord& word : text.words) {
    spans.push_back({word.start, word.end});
    words.push_back(word.text);
  }
  std::vector<std::string> gaps = GapsBetween(text.text, spans);
  if (gaps.empty()) {
    gaps.assign(text.words.size() + 1, " ");
    gaps.front() = gaps.back() = "";
  }
  Json json;
  json["direction"] = "auto";
  json["words"] = std::move(words);
  json["gaps"] = gaps;
  return json;
}

Json AlignmentJson(const Alignment& alignment) {
  Json json;
  json["source"] = TextJson(alignment.source);
  json["target"] = TextJson(alignment.target);
  json["links"] = Json::array();
  for (const AlignedLink& link : alignment.links) {
    if (link.source_word < alignment.source.words.size() &&
        link.target_word < alignment.target.words.size() && std::isfinite(link.score)) {
      json["links"].push_back(Json::array(
          {link.source_word, link.target_word, Rounded(std::clamp(link.score, 0.0f, 1.0f))}));
    }
  }
  return json;
}

Json SentencesJson(const ReportSentences& text) {
  std::vector<Span> spans;
  for (const ReportSentence& sentence : text.sentences)
    spans.push_back({sentence.start, sentence.end});
  const std::vector<std::string> gaps = GapsBetween(text.text, spans);
  Json json;
  json["gaps"] = gaps.empty() ? std::vector<std::string>{text.text} : gaps;
  json["sentences"] = Json::array();
  if (gaps.empty()) return json;  // the text alone is better than sentences at wrong places
  for (const ReportSentence& sentence : text.sentences) {
    Json entry;
    entry["text"] = text.text.substr(sentence.start, sentence.end - sentence.start);
    entry["score"] = sentence.score.has_value() ? Rounded(*sentence.score) : Json();
    entry["rank"] = sentence.rank.has_value() ? Json(*sentence.rank) : Json();
    entry["selected"] = sentence.is_selected;
    json["sentences"].push_back(std::move(entry));
  }
  return json;
}

Json SummaryJson(const ReportSummary& summary) {
  Json json = SentencesJson(summary.source);
  if (summary.written.has_value()) json["written"] = SentencesJson(*summary.written);
  const std::size_t num_to = json["sentences"].size();
  const std::size_t num_from =
      summary.written.has_value() ? json["written"]["sentences"].size() : num_to;
  json["links"] = Json::array();
  for (const ReportSentenceLink& link : summary.links) {
    if (link.from < num_from && link.to < num_to && std::isfinite(link.weight))
      json["links"].push_back(Json::array({link.from, link.to, Rounded(link.weight)}));
  }
  return json;
}

// Kinds share axes: the source words are columns of cross and rows of encoder maps.
std::size_t AxisOf(const std::vector<std::string>& labels, Json* axes) {
  for (std::size_t i = 0; i < axes->size(); ++i) {
    if ((*axes)[i]["labels"] == labels) return i;
  }
  axes->push_back({{"labels", labels}});
  return axes->size() - 1;
}

Json KindJson(const ReportKind& kind, int bits, Json* axes) {
  Json json;
  json["name"] = kind.name;
  json["title"] = kind.title;
  json["rows"] = AxisOf(kind.row_labels, axes);
  json["columns"] = AxisOf(kind.column_labels, axes);
  json["maps"] = Json::array();
  for (const ReportMap& map : kind.maps) {
    Json entry;
    entry["name"] = map.name;
    if (map.layer.has_value()) entry["layer"] = *map.layer;
    if (map.head.has_value()) entry["head"] = *map.head;
    entry["data"] = EncodeMap(map, bits);
    json["maps"].push_back(std::move(entry));
  }
  return json;
}

std::vector<std::string> NotesOnSize(const std::vector<ReportKind>& kinds, int bits) {
  std::vector<std::string> notes;
  if (bits == 8) {
    notes.push_back(
        "Weights are rounded to steps of a 254th of their square root, to keep the page small.");
  }
  for (const ReportKind& kind : kinds) {
    if (kind.num_left_out == 0) continue;
    notes.push_back(kind.title + ": " + std::to_string(kind.num_left_out) + " of " +
                    std::to_string(kind.num_left_out + kind.maps.size()) +
                    " maps are left out, to keep the page small; attend attention --heads chooses "
                    "others.");
  }
  return notes;
}

std::string EscapeJson(const std::string& json) {
  std::string out;
  out.reserve(json.size() + json.size() / 64);
  for (const char c : json) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string EscapeHtml(const std::string& text) {
  std::string out;
  for (const char c : Printable(text)) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Scripts() {
  std::string script;
  for (const std::string_view file : {kDataJs, kThemeJs, kMapCanvasJs, kOverviewJs, kHeatMapJs,
                                      kRibbonsJs, kSentencesJs, kReportJs}) {
    script.append(script.empty() ? "" : "\n").append(file);
  }
  script.erase(script.find_last_not_of('\n') + 1);
  return script;
}

// One pass over the page, so that what is filled in is not looked through again.
std::string FillPage(const std::vector<std::pair<std::string_view, std::string>>& places) {
  std::string out;
  std::string_view rest = kPageHtml;
  for (std::size_t at; (at = rest.find("{{")) != std::string_view::npos;) {
    out.append(rest.substr(0, at));
    rest.remove_prefix(at);
    const std::size_t length = rest.find("}}") + 2;
    const auto place = std::find_if(places.begin(), places.end(), [&](const auto& one) {
      return one.first == rest.substr(2, length - 4);
    });
    if (place != places.end()) out.append(place->second);
    rest.remove_prefix(length);
  }
  return out.append(rest);
}

}  // namespace

WrittenReport WriteHtmlReport(ReportPage page, int64_t map_bytes) {
  page.kinds.erase(std::remove_if(page.kinds.begin(), page.kinds.end(),
                                  [](const ReportKind& kind) { return kind.maps.empty(); }),
                   page.kinds.end());
  const int bits = FitMaps(map_bytes, &page.kinds);
  WrittenReport written;
  written.notes = NotesOnSize(page.kinds, bits);
  page.notes.insert(page.notes.end(), written.notes.begin(), written.notes.end());
  Json json;
  json["title"] = page.title;
  json["subtitle"] = page.subtitle;
  json["notes"] = page.notes;
  json["bits"] = bits;
  json["axes"] = Json::array();
  json["kinds"] = Json::array();
  for (const ReportKind& kind : page.kinds)
    json["kinds"].push_back(KindJson(kind, bits, &json["axes"]));
  json["alignment"] = page.alignment.has_value() ? AlignmentJson(*page.alignment) : Json();
  json["summary"] = page.summary.has_value() ? SummaryJson(*page.summary) : Json();
  const std::string data =
      json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  written.html = FillPage({{"title", EscapeHtml(page.title)},
                           {"style", std::string(kReportCss)},
                           {"data", EscapeJson(data)},
                           {"script", Scripts()}});
  return written;
}

}  // namespace attend::client
