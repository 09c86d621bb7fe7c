// A matrix that came sparse is filled up for the views: a document whose every sentence is looked
// at has few enough of them.
#include "client/summary_printer.h"

#include <algorithm>

#include "client/json_output.h"

namespace attend::client {
namespace {

std::vector<float> DenseWeights(const attend::v1::AttentionMatrix& matrix, std::size_t count) {
  const auto wanted = static_cast<uint32_t>(count);
  if (matrix.row_count() != wanted || matrix.column_count() != wanted) return {};
  if (!matrix.has_sparse())
    return {matrix.dense().weights().begin(), matrix.dense().weights().end()};
  std::vector<float> weights(count * count, 0.0f);
  const auto& sparse = matrix.sparse();
  const auto num_entries =
      static_cast<uint32_t>(std::min(sparse.columns_size(), sparse.weights_size()));
  for (int row = 0; row + 1 < sparse.row_offsets_size() && row < static_cast<int>(wanted); ++row) {
    const uint32_t end = std::min(sparse.row_offsets(row + 1), num_entries);
    for (uint32_t i = sparse.row_offsets(row); i < end; ++i) {
      const uint32_t column = sparse.columns(static_cast<int>(i));
      if (column < wanted)
        weights[static_cast<std::size_t>(row) * count + column] =
            sparse.weights(static_cast<int>(i));
    }
  }
  return weights;
}

void AddWritten(const attend::v1::Summary& summary, SummaryView* view) {
  for (const auto& support : summary.supports()) {
    const auto& span = support.summary();
    if (span.start() > span.end() || span.end() > summary.text().size()) continue;
    WrittenSentence written;
    written.begin = span.start();
    written.end = span.end();
    written.text = summary.text().substr(span.start(), span.end() - span.start());
    for (int i = 0; i < std::min(support.sentence_indices_size(), support.weights_size()); ++i)
      written.leans_on.push_back({support.sentence_indices(i), support.weights(i)});
    if (!written.leans_on.empty() && written.leans_on[0].sentence < view->sentences.size())
      view->sentences[written.leans_on[0].sentence].is_selected = true;
    view->written.push_back(std::move(written));
  }
}

std::string OnOneLine(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

}  // namespace

SummaryView ViewOf(const std::string& source, const attend::v1::Summary& summary) {
  SummaryView view;
  view.text = source;
  for (const auto& sentence : summary.sentences()) {
    SummarySentence& out = view.sentences.emplace_back();
    out.begin = sentence.span().start();
    out.end = sentence.span().end();
    out.score = sentence.score();
    out.rank = sentence.rank();
    out.is_selected = sentence.selected();
    for (const auto& part : sentence.parts()) out.parts.emplace_back(part.name(), part.value());
  }
  if (summary.has_sentence_attention())
    view.attention = DenseWeights(summary.sentence_attention(), view.sentences.size());
  AddWritten(summary, &view);
  return view;
}

std::string FormatSummary(const PrintedItem& item, const attend::v1::Summary& summary,
                          const CallCost& cost, SummaryFormat format, const Terminal& terminal) {
  switch (format) {
    case SummaryFormat::kPlain:
      return (item.line == 0 ? summary.text() : OnOneLine(summary.text())) + "\n";
    case SummaryFormat::kJson: {
      Json json;
      if (item.line > 0) json["line"] = item.line;
      json["source"] = item.source;
      json.update(ToJson(summary));
      json["timing"] = ToJson(cost.usage);
      return JsonLine(json);
    }
    case SummaryFormat::kScores:
      return RenderScores(ViewOf(item.source, summary), terminal);
    case SummaryFormat::kHighlights:
      return RenderHighlights(ViewOf(item.source, summary), terminal);
    case SummaryFormat::kExplanation:
      return RenderExplanation(ViewOf(item.source, summary), terminal);
  }
  return "";
}

}  // namespace attend::client
