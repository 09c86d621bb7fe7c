// A copy with one multiplication and one sum per element: the compiler's own vectors are enough,
// memory is the limit.
#include "engine/ops/gather_rows.h"

#include "engine/base/check.h"

namespace attend {

void GatherScaledSum(ConstMatrixView table, absl::Span<const int32_t> ids, float scale,
                     ConstMatrixView addends, absl::Span<const int32_t> addend_rows,
                     MatrixView out) {
  ATTEND_CHECK(static_cast<int64_t>(ids.size()) == out.rows && ids.size() == addend_rows.size(),
               "one id a row");
  ATTEND_CHECK(table.cols == out.cols && addends.cols == out.cols, "widths of an embedding");
  for (int64_t i = 0; i < out.rows; ++i) {
    const int32_t id = ids[static_cast<size_t>(i)], addend = addend_rows[static_cast<size_t>(i)];
    ATTEND_CHECK(id >= 0 && id < table.rows, "token id outside the vocabulary");
    ATTEND_CHECK(addend >= 0 && addend < addends.rows, "position outside the table");
    const float* from = table.row(id);
    const float* plus = addends.row(addend);
    float* to = out.row(i);
    for (int64_t c = 0; c < out.cols; ++c) to[c] = from[c] * scale + plus[c];
  }
}

}  // namespace attend
