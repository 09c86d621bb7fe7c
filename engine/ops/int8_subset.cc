// An output lies in its panel as four bytes in every 64: it is copied word by word.
#include "engine/ops/int8_subset.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "engine/base/check.h"
#include "engine/ops/int8_kernels.h"

namespace attend {
namespace {

int64_t PanelsOf(int64_t slots) { return (slots + kPanelOutputs - 1) / kPanelOutputs; }

// Where the first word of an output lies among panels.
int64_t FirstWord(int64_t output, int64_t panel_bytes) {
  return output / kPanelOutputs * panel_bytes + output % kPanelOutputs * 4;
}

}  // namespace

void Int8Subset::Reserve(int64_t num_panels) {
  if (num_panels <= capacity_) return;
  const int64_t capacity = std::max(num_panels, capacity_ + capacity_ / 2);
  const auto panel_bytes =
      static_cast<size_t>(dense_->weight_->padded_inputs() * kPanelOutputs);  // times of 64
  // What may throw comes first: capacity_ never promises more than there is.
  const auto per_slot = static_cast<size_t>(capacity * kPanelOutputs);
  scales_.resize(per_slot, 0.0f);
  bias_.resize(per_slot, 0.0f);
  sums_.resize(per_slot, 0);
  auto* memory =
      static_cast<int8_t*>(std::aligned_alloc(64, static_cast<size_t>(capacity) * panel_bytes));
  if (memory == nullptr) throw std::bad_alloc();
  std::unique_ptr<int8_t, Free> panels(memory);
  const size_t used = static_cast<size_t>(capacity_) * panel_bytes;
  if (used > 0) std::memcpy(memory, panels_.get(), used);
  std::memset(memory + used, 0, static_cast<size_t>(capacity) * panel_bytes - used);
  panels_ = std::move(panels);
  capacity_ = capacity;
}

void Int8Subset::Resize(int64_t slots) {
  Reserve(PanelsOf(slots));
  // A scale of zero silences whatever bytes an earlier tenant left.
  for (int64_t slot = slots_; slot < slots; ++slot) {
    const auto i = static_cast<size_t>(slot);
    scales_[i] = bias_[i] = 0.0f;
    sums_[i] = 0;
  }
  slots_ = slots;
}

void Int8Subset::Place(int64_t slot, int64_t output) {
  ATTEND_DCHECK(slot >= 0 && slot < slots_ && output >= 0 && output < dense_->outputs(),
                "a slot and an output that are there");
  const Int8Weight& weight = *dense_->weight_;
  const int64_t panel_bytes = weight.padded_inputs() * kPanelOutputs;
  const int8_t* from = weight.parts().panels.data() + FirstWord(output, panel_bytes);
  int8_t* to = panels_.get() + FirstWord(slot, panel_bytes);
  for (int64_t k = 0; k < panel_bytes; k += 4 * kPanelOutputs) std::memcpy(to + k, from + k, 4);
  const auto i = static_cast<size_t>(slot), o = static_cast<size_t>(output);
  scales_[i] = weight.parts().scales[o];
  sums_[i] = weight.parts().sums[o];
  bias_[i] = dense_->bias_[o];
}

int64_t Int8Subset::allocated_bytes() const {
  return capacity_ * kPanelOutputs *
         (dense_->weight_->padded_inputs() + int64_t{2 * sizeof(float) + sizeof(int32_t)});
}

void Int8Subset::Run(ConstMatrixView in, MatrixView out) const {
  ATTEND_CHECK(in.rows == out.rows && in.cols == dense_->inputs() && out.cols == slots_,
               "shapes of a linear operation");
  if (slots_ == 0) return;
  Int8Product weights = dense_->Weights();
  weights.panels = panels_.get();
  weights.weight_scales = scales_.data();
  weights.weight_sums = sums_.data();
  weights.bias = bias_.data();
  weights.outputs = slots_;
  RunInt8Dense(weights, in, out);
}

}  // namespace attend
