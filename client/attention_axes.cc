// Answers come from outside: every index is checked before it is used.
#include "client/attention_axes.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "client/json_output.h"  // AttentionKindName

namespace attend::client {
namespace {

using attend::v1::Attention;
using attend::v1::AttentionMatrix;

std::vector<std::string> TokenLabels(
    const google::protobuf::RepeatedPtrField<attend::v1::Token>& tokens) {
  std::vector<std::string> labels;
  for (const auto& token : tokens) labels.push_back(token.piece());
  return labels;
}

std::vector<std::string> WordLabels(
    const google::protobuf::RepeatedPtrField<attend::v1::Word>& words) {
  std::vector<std::string> labels;
  for (const auto& word : words) labels.push_back(word.text());
  return labels;
}

// Numbers when neither tokens nor words count what the matrix counts.
std::vector<std::string> ChooseLabels(std::vector<std::string> preferred,
                                      std::vector<std::string> other, std::size_t count) {
  if (preferred.size() == count) return preferred;
  if (other.size() == count) return other;
  std::vector<std::string> numbers;
  for (std::size_t i = 0; i < count; ++i) numbers.push_back("#" + std::to_string(i));
  return numbers;
}

std::vector<std::string> Labels(const Attention& axes, bool of_source, bool prefer_words,
                                std::size_t count) {
  std::vector<std::string> tokens =
      TokenLabels(of_source ? axes.source_tokens() : axes.target_tokens());
  std::vector<std::string> words =
      WordLabels(of_source ? axes.source_words() : axes.target_words());
  return prefer_words ? ChooseLabels(std::move(words), std::move(tokens), count)
                      : ChooseLabels(std::move(tokens), std::move(words), count);
}

// [rows, columns] with NaN where nothing was kept; empty when the matrix is malformed.
std::optional<std::vector<float>> DenseValues(const AttentionMatrix& matrix) {
  const std::size_t rows = matrix.row_count(), columns = matrix.column_count();
  if (matrix.has_dense()) {
    const auto& weights = matrix.dense().weights();
    if (static_cast<uint64_t>(weights.size()) != uint64_t{rows} * columns) return std::nullopt;
    return std::vector<float>(weights.begin(), weights.end());
  }
  const auto& sparse = matrix.sparse();
  const int num_entries = sparse.weights_size();
  if (static_cast<std::size_t>(sparse.row_offsets_size()) != rows + 1 ||
      sparse.columns_size() != num_entries || uint64_t{rows} * columns > (uint64_t{1} << 28)) {
    return std::nullopt;
  }
  std::vector<float> values(rows * columns, std::numeric_limits<float>::quiet_NaN());
  for (std::size_t row = 0; row < rows; ++row) {
    const uint32_t first = sparse.row_offsets(static_cast<int>(row)),
                   last = sparse.row_offsets(static_cast<int>(row) + 1);
    if (first > last || last > static_cast<uint32_t>(num_entries)) return std::nullopt;
    for (uint32_t i = first; i < last; ++i) {
      const uint32_t column = sparse.columns(static_cast<int>(i));
      if (column >= columns) return std::nullopt;
      values[row * columns + column] = sparse.weights(static_cast<int>(i));
    }
  }
  return values;
}

}  // namespace

std::optional<HeatMap> ToHeatMap(const Attention& axes, const AttentionMatrix& matrix,
                                 attend::v1::AttentionGranularity granularity) {
  std::optional<std::vector<float>> values = DenseValues(matrix);
  if (!values.has_value()) return std::nullopt;
  const bool prefer_words = granularity == attend::v1::ATTENTION_GRANULARITY_WORD;
  const bool rows_are_source = matrix.kind() == attend::v1::ATTENTION_KIND_ENCODER_SELF;
  const bool columns_are_source = matrix.kind() != attend::v1::ATTENTION_KIND_DECODER_SELF;
  HeatMap map;
  map.title = AttentionKindName(matrix.kind()) + " attention";
  if (matrix.has_head()) {
    map.title += ", layer " + std::to_string(matrix.head().layer()) + " head " +
                 std::to_string(matrix.head().head());
  }
  map.row_labels = Labels(axes, rows_are_source, prefer_words, matrix.row_count());
  map.column_labels = Labels(axes, columns_are_source, prefer_words, matrix.column_count());
  map.weights = std::move(*values);
  return map;
}

}  // namespace attend::client
