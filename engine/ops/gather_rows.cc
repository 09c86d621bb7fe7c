// A copy with one multiplication and at most one sum per element: the compiler's own vectors are
// enough, memory is the limit.
#include "engine/ops/gather_rows.h"

#include "engine/base/check.h"

namespace attend {

namespace {

struct TableSize {
  int64_t rows, cols;
};

// read(id, out) gives a row of the table.
template <class Read>
void Gather(TableSize table, absl::Span<const int32_t> ids, float scale, ConstMatrixView addends,
            absl::Span<const int32_t> addend_rows, MatrixView out, Read read) {
  const bool sums = addends.data != nullptr;
  ATTEND_CHECK(static_cast<int64_t>(ids.size()) == out.rows, "one id a row");
  ATTEND_CHECK(!sums || ids.size() == addend_rows.size(), "one addend a row");
  ATTEND_CHECK(table.cols == out.cols && (!sums || addends.cols == out.cols),
               "widths of an embedding");
  for (int64_t i = 0; i < out.rows; ++i) {
    const int32_t id = ids[static_cast<size_t>(i)];
    ATTEND_CHECK(id >= 0 && id < table.rows, "token id outside the vocabulary");
    float* to = out.row(i);
    const float* from = read(id, to);
    if (!sums) {
      for (int64_t c = 0; c < out.cols; ++c) to[c] = from[c] * scale;
      continue;
    }
    const int32_t addend = addend_rows[static_cast<size_t>(i)];
    ATTEND_CHECK(addend >= 0 && addend < addends.rows, "position outside the table");
    const float* plus = addends.row(addend);
    for (int64_t c = 0; c < out.cols; ++c) to[c] = from[c] * scale + plus[c];
  }
}

}  // namespace

void GatherScaledSum(ConstMatrixView table, absl::Span<const int32_t> ids, float scale,
                     ConstMatrixView addends, absl::Span<const int32_t> addend_rows,
                     MatrixView out) {
  Gather({table.rows, table.cols}, ids, scale, addends, addend_rows, out,
         [&](int32_t id, float*) { return table.row(id); });
}

void GatherScaledSum(const Int8Weight& table, absl::Span<const int32_t> ids, float scale,
                     ConstMatrixView addends, absl::Span<const int32_t> addend_rows,
                     MatrixView out) {
  Gather({table.outputs(), table.inputs()}, ids, scale, addends, addend_rows, out,
         [&](int32_t id, float* row) {
           table.Row(id, row);
           return row;
         });
}

void AddGatheredRows(ConstMatrixView table, absl::Span<const int32_t> rows, MatrixView out) {
  ATTEND_CHECK(static_cast<int64_t>(rows.size()) == out.rows && table.cols == out.cols,
               "shapes of a gathered sum");
  for (int64_t i = 0; i < out.rows; ++i) {
    const int32_t row = rows[static_cast<size_t>(i)];
    ATTEND_CHECK(row >= 0 && row < table.rows, "row outside the table");
    const float* plus = table.row(row);
    float* to = out.row(i);
    for (int64_t c = 0; c < out.cols; ++c) to[c] += plus[c];
  }
}

}  // namespace attend
