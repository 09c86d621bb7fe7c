// One HTML page that shows attention: heat maps, ribbons between two texts, sentences of a summary.
// It needs no network and nothing beside itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/alignment_view.h"

namespace attend::client {

// Weights 0 to 1 in 65534ths; kReportNotKept where the weight is NaN. Others are clamped.
inline constexpr uint16_t kReportNotKept = 65535;
std::vector<uint16_t> PackWeights(const std::vector<float>& weights);

// One map of a kind. With layer and head it is that head's, with a layer alone the layer's fold,
// with neither a fold of the whole kind.
struct ReportMap {
  std::string name;  // "mean of all heads", "layer 1, head 0"
  std::optional<uint32_t> layer, head;
  std::vector<uint16_t> weights;  // [rows, columns], from PackWeights
};

struct ReportKind {
  std::string name;                        // "cross"
  std::string title;                       // "Cross: target words read source words"
  std::vector<std::string> row_labels;     // who attends
  std::vector<std::string> column_labels;  // what is attended to
  std::vector<ReportMap> maps;  // most wanted first: the last ones go when the page grows too large
  std::size_t num_left_out = 0;  // maps that were left out before
};

struct ReportSentence {
  uint32_t start = 0, end = 0;   // bytes of the whole text
  std::optional<float> score;    // larger is better
  std::optional<uint32_t> rank;  // 1 is best
  bool is_selected = false;
};

struct ReportSentences {
  std::string text;
  std::vector<ReportSentence> sentences;  // in the order of the text, without overlap
};

// `from` leans on `to`. With a written summary `from` counts its sentences, else those of the text;
// `to` always counts those of the text.
struct ReportSentenceLink {
  uint32_t from = 0, to = 0;
  float weight = 0;
};

struct ReportSummary {
  ReportSentences source;
  std::optional<ReportSentences> written;  // of an abstractive summary
  std::vector<ReportSentenceLink> links;   // out-of-range ones are left out
};

struct ReportPage {
  std::string title, subtitle;
  std::vector<std::string> notes;  // shown above everything
  std::vector<ReportKind> kinds;   // the first one is shown first; kinds without maps are left out
  std::optional<Alignment> alignment;
  std::optional<ReportSummary> summary;
};

// What the maps of a page may take, as they are written: about this many bytes of the file.
inline constexpr int64_t kReportMapBytes = 8 << 20;

struct WrittenReport {
  std::string html;
  std::vector<std::string>
      notes;  // what was changed to keep within the limit; the page says it too
};

// Any text is taken: bytes that are not UTF-8 become U+FFFD, and nothing in a text can end its
// place in the page. Maps are written with 16 bits a weight; with 8 (at most 0.004 off at weight 1,
// less below) when they would take more than `map_bytes`; then the last maps of each kind are left
// out. The first map of each kind always stays. REQUIRES: each map has rows * columns weights.
WrittenReport WriteHtmlReport(ReportPage page, int64_t map_bytes = kReportMapBytes);

}  // namespace attend::client
