// A slice with first_row 0 begins a matrix; any other slice must continue the current one exactly
// where it stopped.
#include "client/attention_stream.h"

#include <utility>

namespace attend::client {
namespace {

using attend::v1::AttentionMatrix;

bool IsSameMatrix(const AttentionMatrix& a, const AttentionMatrix& b) {
  return a.kind() == b.kind() && a.has_head() == b.has_head() &&
         a.head().layer() == b.head().layer() && a.head().head() == b.head().head() &&
         a.column_count() == b.column_count() && a.values_case() == b.values_case();
}

void AppendRows(const AttentionMatrix& rows, AttentionMatrix* matrix) {
  matrix->set_row_count(matrix->row_count() + rows.row_count());
  if (rows.has_dense()) {
    matrix->mutable_dense()->MergeFrom(rows.dense());
    return;
  }
  auto* sparse = matrix->mutable_sparse();
  const auto base = static_cast<uint32_t>(sparse->weights_size());
  // The first offset of the slice is where the matrix stands already.
  for (int i = 1; i < rows.sparse().row_offsets_size(); ++i)
    sparse->add_row_offsets(base + rows.sparse().row_offsets(i));
  sparse->mutable_columns()->MergeFrom(rows.sparse().columns());
  sparse->mutable_weights()->MergeFrom(rows.sparse().weights());
}

}  // namespace

std::optional<AttentionMatrix> MatrixAssembler::Add(const attend::v1::AttentionSlice& slice,
                                                    std::string* problem) {
  if (slice.first_row() == 0) return std::exchange(current_, slice.matrix());
  if (!current_.has_value() || !IsSameMatrix(*current_, slice.matrix()) ||
      slice.first_row() != current_->row_count()) {
    *problem = "the server's slices do not fit together: row " + std::to_string(slice.first_row()) +
               " came after row " +
               std::to_string(current_.has_value() ? current_->row_count() : 0);
    return std::nullopt;
  }
  AppendRows(slice.matrix(), &*current_);
  return std::nullopt;
}

std::optional<AttentionMatrix> MatrixAssembler::Finish() {
  return std::exchange(current_, std::nullopt);
}

}  // namespace attend::client
