// A long text through a large model is gigabytes of heads. Sums of the layers are kept for all of
// them, single heads only up to what the page may hold, so that memory stays near the page's size.
#include "client/report/attention_report.h"

#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

#include "client/attention_axes.h"
#include "client/json_output.h"  // AttentionKindName
#include "client/report/report_maps.h"

namespace attend::client {
namespace {

std::string KindTitle(const std::string& name, bool by_word) {
  const std::string unit = by_word ? "words" : "tokens";
  if (name == "cross") return "Cross: target " + unit + " read source " + unit;
  if (name == "encoder") return "Encoder: source " + unit + " read each other";
  if (name == "decoder") return "Decoder: target " + unit + " read earlier ones";
  return name;
}

std::string Count(std::size_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

}  // namespace

void AttentionReportBuilder::Mean::Add(const std::vector<float>& weights) {
  if (sum.empty()) sum.resize(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    sum[i] += std::isnan(weights[i]) ? 0.0f : weights[i];
  ++count;
}

std::vector<uint16_t> AttentionReportBuilder::Mean::Pack() const {
  std::vector<float> mean = sum;
  for (float& weight : mean) weight /= static_cast<float>(count);
  return PackWeights(mean);
}

AttentionReportBuilder::Kind* AttentionReportBuilder::KindOf(const std::string& name) {
  for (Kind& kind : kinds_) {
    if (kind.page.name == name) return &kind;
  }
  kinds_.emplace_back();
  Kind* kind = &kinds_.back();
  kind->page.name = name;
  kind->page.title = KindTitle(name, granularity_ == attend::v1::ATTENTION_GRANULARITY_WORD);
  return kind;
}

std::string AttentionReportBuilder::Add(const attend::v1::Attention& axes,
                                        const attend::v1::AttentionMatrix& matrix,
                                        const std::string& fold) {
  std::optional<HeatMap> map = ToHeatMap(axes, matrix, granularity_);
  if (!map.has_value()) return "the server sent a matrix whose sizes contradict each other";
  if (map->weights.empty()) return "";
  Kind* kind = KindOf(AttentionKindName(matrix.kind()));
  ReportKind& page = kind->page;
  if (page.row_labels.empty()) {
    page.row_labels = std::move(map->row_labels);
    page.column_labels = std::move(map->column_labels);
  } else if (page.row_labels.size() != map->row_labels.size() ||
             page.column_labels.size() != map->column_labels.size()) {
    return "the server sent matrices of one kind with different sizes";
  }
  if (!matrix.has_head()) {
    page.maps.push_back({fold, std::nullopt, std::nullopt, PackWeights(map->weights)});
    return "";
  }
  const uint32_t layer = matrix.head().layer(), head = matrix.head().head();
  kind->all.Add(map->weights);
  kind->layers[layer].Add(map->weights);
  ReportMap one{
      "layer " + std::to_string(layer) + ", head " + std::to_string(head), layer, head, {}};
  const int64_t bytes = static_cast<int64_t>(map->weights.size()) * 4 / 3;  // with 8 bits
  if (kind->head_bytes + bytes > map_bytes_) {
    ++page.num_left_out;
  } else {
    kind->head_bytes += bytes;
    one.weights = PackWeights(map->weights);
    kind->heads.push_back(std::move(one));
  }
  return "";
}

std::vector<ReportKind> AttentionReportBuilder::Finish() {
  std::vector<ReportKind> pages;
  for (Kind& kind : kinds_) {
    std::vector<ReportMap>& maps = kind.page.maps;
    if (kind.all.count > 1) {
      maps.push_back({"mean of " + Count(kind.all.count, "head"), std::nullopt, std::nullopt,
                      kind.all.Pack()});
    }
    for (const auto& [layer, mean] : kind.layers) {
      if (mean.count > 1 && kind.layers.size() > 1)
        maps.push_back({"mean of " + Count(mean.count, "head"), layer, std::nullopt, mean.Pack()});
    }
    for (ReportMap& head : kind.heads) maps.push_back(std::move(head));
    pages.push_back(std::move(kind.page));
  }
  kinds_.clear();
  return pages;
}

}  // namespace attend::client
