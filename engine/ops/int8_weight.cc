// Rows are quantised by the loop that quantises activations, then dealt out into panels four bytes
// at a time.
#include "engine/ops/int8_weight.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/ops/int8_kernels.h"
#include "engine/ops/quantize_rows.h"
#include "engine/ops/weight_memory.h"

namespace attend {
namespace {

int64_t RoundUp(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// Sizes of the three pieces, in elements.
struct Layout {
  int64_t panels, per_output;
};
Layout LayoutOf(int64_t inputs, int64_t outputs) {
  const int64_t padded_outputs = RoundUp(outputs, kPanelOutputs);
  return {RoundUp(inputs, kPanelInputs) * padded_outputs, padded_outputs};
}

// Deals a quantised row out to its place in its panel.
void PlaceRow(const int8_t* row, int64_t padded_inputs, int64_t output, int8_t* panels) {
  int8_t* to =
      panels + output / kPanelOutputs * padded_inputs * kPanelOutputs + output % kPanelOutputs * 4;
  for (int64_t k = 0; k < padded_inputs; k += 4, to += 4 * kPanelOutputs)
    std::memcpy(to, row + k, 4);
}

absl::Status BadPart(const char* part, size_t found, int64_t expected) {
  return absl::FailedPreconditionError(
      absl::StrCat("quantised ", part, ": ", found, " elements, expected ", expected));
}

}  // namespace

int64_t Int8Weight::padded_inputs() const { return RoundUp(inputs_, kPanelInputs); }
int64_t Int8Weight::num_panels() const { return RoundUp(outputs_, kPanelOutputs) / kPanelOutputs; }

int64_t Int8Weight::bytes() const {
  return static_cast<int64_t>(parts_.panels.size() + parts_.scales.size() * sizeof(float) +
                              parts_.sums.size() * sizeof(int32_t));
}

absl::StatusOr<std::shared_ptr<const Int8Weight>> Int8Weight::Quantize(ConstMatrixView weight) {
  ATTEND_CHECK(weight.rows > 0 && weight.cols > 0, "a weight of some size");
  const int64_t inputs = weight.cols, outputs = weight.rows;
  const Layout layout = LayoutOf(inputs, outputs);
  const int64_t bytes = layout.panels + layout.per_output * int64_t{sizeof(float)} +
                        layout.per_output * int64_t{sizeof(int32_t)};
  const std::shared_ptr<char> memory = AllocateWeights(bytes);
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for ", bytes, " bytes of quantised weights"));
  }
  auto* panels = reinterpret_cast<int8_t*>(memory.get());
  auto* scales = reinterpret_cast<float*>(memory.get() + layout.panels);
  auto* sums = reinterpret_cast<int32_t*>(scales + layout.per_output);
  std::memset(memory.get(), 0, static_cast<size_t>(bytes));

  const int64_t padded_inputs = RoundUp(inputs, kPanelInputs);
  std::vector<int8_t> row(static_cast<size_t>(padded_inputs));
  for (int64_t output = 0; output < outputs; ++output) {
    QuantizeRows({weight.row(output), 1, inputs, weight.stride},
                 {row.data(), padded_inputs, scales + output, 0});
    int32_t sum = 0;
    for (const int8_t q : row) sum += q;
    sums[output] = sum;
    PlaceRow(row.data(), padded_inputs, output, panels);
  }
  return Borrow(inputs, outputs,
                {{panels, static_cast<size_t>(layout.panels)},
                 {scales, static_cast<size_t>(layout.per_output)},
                 {sums, static_cast<size_t>(layout.per_output)}},
                memory);
}

absl::StatusOr<std::shared_ptr<const Int8Weight>> Int8Weight::Borrow(
    int64_t inputs, int64_t outputs, const Int8WeightParts& parts,
    std::shared_ptr<const void> owner) {
  const Layout layout = LayoutOf(inputs, outputs);
  if (static_cast<int64_t>(parts.panels.size()) != layout.panels)
    return BadPart("panels", parts.panels.size(), layout.panels);
  if (static_cast<int64_t>(parts.scales.size()) != layout.per_output)
    return BadPart("scales", parts.scales.size(), layout.per_output);
  if (static_cast<int64_t>(parts.sums.size()) != layout.per_output)
    return BadPart("sums", parts.sums.size(), layout.per_output);
  if (reinterpret_cast<uintptr_t>(parts.panels.data()) % 64 != 0)
    return absl::FailedPreconditionError("quantised panels are not aligned to 64 bytes");
  std::shared_ptr<Int8Weight> weight(new Int8Weight(inputs, outputs));
  weight->parts_ = parts;
  weight->owner_ = std::move(owner);
  return weight;
}

void Int8Weight::Row(int64_t output, float* out) const {
  ATTEND_DCHECK(output >= 0 && output < outputs_, "a row of the weight");
  const float scale = parts_.scales[static_cast<size_t>(output)];
  const int8_t* from = parts_.panels.data() +
                       output / kPanelOutputs * padded_inputs() * kPanelOutputs +
                       output % kPanelOutputs * 4;
  for (int64_t k = 0; k < inputs_; k += 4, from += 4 * kPanelOutputs) {
    const int64_t count = std::min<int64_t>(4, inputs_ - k);
    for (int64_t i = 0; i < count; ++i) out[k + i] = static_cast<float>(from[i]) * scale;
  }
}

}  // namespace attend
