#include "engine/layers/token_table.h"

#include <utility>

#include "engine/base/status_macros.h"
#include "engine/layers/dense.h"
#include "engine/ops/gather_rows.h"

namespace attend {

absl::StatusOr<TokenTable> TokenTable::Load(const WeightSource& source, const std::string& name,
                                            int64_t vocab_size, int64_t hidden_size) {
  TokenTable table;
  if (source.form().compute_type == ComputeType::kInt8) {
    ATTEND_ASSIGN_OR_RETURN(table.int8_, LoadInt8Weight(source, name, {hidden_size, vocab_size}));
    return table;
  }
  ATTEND_ASSIGN_OR_RETURN(Matrix floats, source.ReadMatrix(name, vocab_size, hidden_size));
  table.floats_ = std::make_shared<const Matrix>(std::move(floats));
  return table;
}

int64_t TokenTable::hidden_size() const {
  return int8_ != nullptr ? int8_->inputs() : floats_->cols();
}

int64_t TokenTable::bytes() const {
  return int8_ != nullptr ? int8_->bytes() : static_cast<int64_t>(floats_->allocated_bytes());
}

void TokenTable::Gather(absl::Span<const int32_t> ids, float scale, ConstMatrixView addends,
                        absl::Span<const int32_t> addend_rows, MatrixView out) const {
  if (int8_ != nullptr) {
    GatherScaledSum(*int8_, ids, scale, addends, addend_rows, out);
  } else {
    GatherScaledSum(floats_->view(), ids, scale, addends, addend_rows, out);
  }
}

}  // namespace attend
