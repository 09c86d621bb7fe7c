// What the forms of a float32 linear operation (ops/dense.h, ops/onednn_dense.h) ask of their
// weights, and what they answer when memory is short; internal to the room.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "engine/base/check.h"
#include "engine/tensor/matrix.h"

namespace attend {

inline void CheckDenseArguments(ConstMatrixView weight, absl::Span<const float> bias) {
  ATTEND_CHECK(weight.rows > 0 && weight.cols > 0 && weight.stride == weight.cols,
               "weights without gaps");
  ATTEND_CHECK(bias.empty() || static_cast<int64_t>(bias.size()) == weight.rows,
               "one bias per output");
}

inline absl::Status NoMemoryForDense(ConstMatrixView weight) {
  return absl::ResourceExhaustedError(absl::StrCat("no memory for a linear operation of ",
                                                   weight.cols, " inputs and ", weight.rows,
                                                   " outputs"));
}

}  // namespace attend
