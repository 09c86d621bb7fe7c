// Names are resolved where they are asked for, so that a family is one function from name to names
// and no table of all weights has to be built first.
#include "engine/layers/weight_source.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

// Index of the first number that is infinite or NaN (all exponent bits set), or -1.
int64_t FindNotFinite(const Matrix& matrix) {
  const int64_t n = matrix.rows() * matrix.cols();
  uint32_t any = 0;
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits;
    std::memcpy(&bits, matrix.data() + i, sizeof(bits));
    any |= static_cast<uint32_t>((bits & 0x7f800000u) == 0x7f800000u);
  }
  if (any == 0) return -1;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(matrix.data()[i])) return i;
  }
  return -1;
}

}  // namespace

WeightSource WeightSource::Sub(std::string_view name) const {
  WeightSource sub = *this;
  sub.prefix_ += std::string(name) + ".";
  return sub;
}

std::vector<std::string> WeightSource::StoredNames(std::string_view name) const {
  return translate_(prefix_ + std::string(name));
}

bool WeightSource::Has(std::string_view name) const {
  for (const std::string& stored : StoredNames(name)) {
    if (reader_->Has(stored)) return true;
  }
  return false;
}

absl::StatusOr<Matrix> WeightSource::Read(std::string_view name, const Shape& shape) const {
  const std::vector<std::string> names = StoredNames(name);
  ATTEND_ASSIGN_OR_RETURN(Matrix matrix, reader_->ReadAny(names, shape));
  if (const int64_t index = FindNotFinite(matrix); index >= 0) {
    std::string stored;
    for (const std::string& candidate : names) {
      if (stored.empty() && reader_->Has(candidate)) stored = candidate;
    }
    ErrorDetail detail;
    detail.reason = "CHECKPOINT_CORRUPT";
    detail.metadata = {{"tensor", stored}, {"index", std::to_string(index)}};
    return MakeError(absl::StatusCode::kDataLoss,
                     absl::StrCat("tensor '", stored, "': element ", index, " is ",
                                  std::isnan(matrix.data()[index]) ? "not a number" : "infinite"),
                     std::move(detail));
  }
  return matrix;
}

absl::StatusOr<Matrix> WeightSource::ReadMatrix(std::string_view name, int64_t rows,
                                                int64_t cols) const {
  return Read(name, {rows, cols});
}

absl::StatusOr<Matrix> WeightSource::ReadVector(std::string_view name, int64_t n) const {
  return Read(name, {n});
}

}  // namespace attend
