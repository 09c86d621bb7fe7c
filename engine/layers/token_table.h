// The vectors of a vocabulary's tokens, in the model's compute type. Encoder and decoder may share
// one, and the output projection is made of it where the two are tied.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/layers/weight_source.h"
#include "engine/ops/int8_weight.h"
#include "engine/tensor/matrix.h"

namespace attend {

class TokenTable {
 public:
  // NAME [vocab_size, hidden_size].
  static absl::StatusOr<TokenTable> Load(const WeightSource& source, const std::string& name,
                                         int64_t vocab_size, int64_t hidden_size);

  int64_t hidden_size() const;
  int64_t bytes() const;
  // Exactly one of them is there.
  const Matrix* floats() const { return floats_.get(); }
  const std::shared_ptr<const Int8Weight>& int8() const { return int8_; }

  // out[i] = vector of ids[i] * scale + addends[addend_rows[i]]; for no addends and REQUIRES see
  // GatherScaledSum (ops/gather_rows.h).
  void Gather(absl::Span<const int32_t> ids, float scale, ConstMatrixView addends,
              absl::Span<const int32_t> addend_rows, MatrixView out) const;

 private:
  std::shared_ptr<const Matrix> floats_;
  std::shared_ptr<const Int8Weight> int8_;
};

}  // namespace attend
