// A copy with one multiplication and one sum per element: the compiler's own vectors are enough,
// memory is the limit.
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
  ATTEND_CHECK(static_cast<int64_t>(ids.size()) == out.rows && ids.size() == addend_rows.size(),
               "one id a row");
  ATTEND_CHECK(table.cols == out.cols && addends.cols == out.cols, "widths of an embedding");
  for (int64_t i = 0; i < out.rows; ++i) {
    const int32_t id = ids[static_cast<size_t>(i)], addend = addend_rows[static_cast<size_t>(i)];
    ATTEND_CHECK(id >= 0 && id < table.rows, "token id outside the vocabulary");
    ATTEND_CHECK(addend >= 0 && addend < addends.rows, "position outside the table");
    float* to = out.row(i);
    const float* from = read(id, to);
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

}  // namespace attend
