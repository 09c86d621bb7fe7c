// Names are resolved where they are asked for, so that a family is one function from name to names
// and no table of all weights has to be built first.
#include "engine/layers/weight_source.h"

#include <cmath>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"

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
    return CorruptTensor(
        reader_->PlaceOf(names), "finite numbers",
        absl::StrCat(std::isnan(matrix.data()[index]) ? "NaN" : "infinity", " at element ", index));
  }
  return matrix;
}

absl::Status WeightSource::Claim(std::string_view name, int64_t rows, int64_t cols) const {
  return reader_->Claim(StoredNames(name), {rows, cols});
}

absl::StatusOr<Matrix> WeightSource::Allocate(std::string_view name, int64_t rows,
                                              int64_t cols) const {
  std::optional<Matrix> matrix = Matrix::TryCreate(rows, cols);
  if (matrix) return *std::move(matrix);
  const std::vector<std::string> names = StoredNames(name);
  return NoMemoryFor(reader_->PlaceOf(names),
                     static_cast<uint64_t>(rows) * static_cast<uint64_t>(cols) * sizeof(float));
}

absl::Status WeightSource::At(std::string_view name, const absl::Status& error) const {
  if (error.ok()) return error;
  const std::vector<std::string> names = StoredNames(name);
  return FailedAt(reader_->PlaceOf(names), error);
}

absl::StatusOr<Matrix> WeightSource::ReadMatrix(std::string_view name, int64_t rows,
                                                int64_t cols) const {
  return Read(name, {rows, cols});
}

absl::StatusOr<Matrix> WeightSource::ReadVector(std::string_view name, int64_t n) const {
  return Read(name, {n});
}

}  // namespace attend
