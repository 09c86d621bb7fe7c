// Few links a sentence, as in the terminal: a page with all of them shows nothing.
#include "client/report/summary_report.h"

#include <algorithm>
#include <cstdint>

namespace attend::client {
namespace {

constexpr std::size_t kMostLinks = 5;

ReportSentence SentenceOf(std::size_t begin, std::size_t end) {
  ReportSentence sentence;
  sentence.start = static_cast<uint32_t>(begin);
  sentence.end = static_cast<uint32_t>(end);
  return sentence;
}

ReportSentences SourceOf(const SummaryView& view) {
  ReportSentences source;
  source.text = view.text;
  for (const SummarySentence& sentence : view.sentences) {
    ReportSentence out = SentenceOf(sentence.begin, sentence.end);
    out.is_selected = sentence.is_selected;
    if (sentence.rank > 0) {
      out.score = sentence.score;
      out.rank = sentence.rank;
    }
    source.sentences.push_back(out);
  }
  return source;
}

void AddLinks(uint32_t from, const std::vector<SentenceWeight>& weights, ReportSummary* summary) {
  for (std::size_t i = 0; i < std::min(weights.size(), kMostLinks); ++i)
    summary->links.push_back({from, weights[i].sentence, weights[i].weight});
}

void AddWritten(const SummaryView& view, const std::string& text, ReportSummary* summary) {
  ReportSentences& written = summary->written.emplace();
  written.text = text;
  for (std::size_t i = 0; i < view.written.size(); ++i) {
    written.sentences.push_back(SentenceOf(view.written[i].begin, view.written[i].end));
    AddLinks(static_cast<uint32_t>(i), view.written[i].leans_on, summary);
  }
}

}  // namespace

ReportPage SummaryPage(const SummaryView& view, const std::string& text) {
  ReportPage page;
  page.title = "Summary";
  ReportSummary& summary = page.summary.emplace();
  summary.source = SourceOf(view);
  if (!view.written.empty()) {
    AddWritten(view, text, &summary);
    return page;
  }
  for (std::size_t i = 0; i < view.sentences.size(); ++i)
    if (view.sentences[i].is_selected)
      AddLinks(static_cast<uint32_t>(i), AttendedBy(view, i), &summary);
  return page;
}

}  // namespace attend::client
