// "Attention Is All You Need", section 3.5, with sines and cosines not interleaved but in two
// halves, as Marian has them. Angles are computed in float64 and rounded once, as transformers
// does: in float32, angles past 100 lose five bits.
#include "engine/layers/position_encoding.h"

#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"

namespace attend {
namespace {

// With an odd width the half of sines is one longer.
void FillSinusoidalHalves(int64_t first, Matrix* table) {
  const int64_t cols = table->cols(), sines = (cols + 1) / 2;
  for (int64_t i = 0; i < sines; ++i) {
    const double divisor =
        std::pow(10000.0, 2.0 * static_cast<double>(i) / static_cast<double>(cols));
    for (int64_t p = 0; p < table->rows(); ++p) {
      const double angle = static_cast<double>(first + p) / divisor;
      table->row(p)[i] = static_cast<float>(std::sin(angle));
      if (sines + i < cols) table->row(p)[sines + i] = static_cast<float>(std::cos(angle));
    }
  }
}

// Frequencies go down to 1/10000 itself; an odd width ends in a column of zeros. Frequencies and
// angles are rounded to float32, as transformers does here.
void FillTensor2Tensor(int64_t first, Matrix* table) {
  const int64_t cols = table->cols(), half = cols / 2;
  const float step = static_cast<float>(std::log(10000.0) / static_cast<double>(half - 1));
  for (int64_t p = 0; p < table->rows(); ++p) {
    float* row = table->row(p);
    row[cols - 1] = 0;
    for (int64_t i = 0; i < half; ++i) {
      const float frequency = std::exp(static_cast<float>(i) * -step);
      const double angle = static_cast<float>(first + p) * frequency;
      row[i] = static_cast<float>(std::sin(angle));
      row[half + i] = static_cast<float>(std::cos(angle));
    }
  }
}

}  // namespace

absl::StatusOr<Matrix> MakePositionTable(PositionEncoding encoding, const PositionRange& positions,
                                         int64_t hidden_size) {
  std::optional<Matrix> table = Matrix::TryCreate(positions.count, hidden_size);
  if (!table) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for a table of ", positions.count,
                                                     " positions of ", hidden_size, " numbers"));
  }
  switch (encoding) {
    case PositionEncoding::kSinusoidalHalves:
      FillSinusoidalHalves(positions.first, &*table);
      break;
    case PositionEncoding::kSinusoidalTensor2Tensor:
      FillTensor2Tensor(positions.first, &*table);
      break;
    case PositionEncoding::kLearned:
    case PositionEncoding::kRelativeBias:
      ATTEND_CHECK(false, "positions that nobody computes");
  }
  return *std::move(table);
}

}  // namespace attend
