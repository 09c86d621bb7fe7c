// Threads share out the panels, not the rows: each reads its own part of the weights, once.
#include "engine/ops/int8_dense.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/ops/int8_kernels.h"
#include "engine/ops/op_threads.h"
#include "engine/ops/quantize_rows.h"

namespace attend {
namespace {

// Rows that are quantised and multiplied at a time: their bytes stay in the second-level cache.
constexpr int64_t kMostRows = 128;
// Bytes of weights times rows from which on a second thread pays.
constexpr int64_t kThreadWork = int64_t{32} << 10;
// Panels that a kernel walks at once; pieces for threads are cut at multiples of it.
constexpr int64_t kGroup = 4;

struct Scratch {
  std::vector<int8_t> in;
  std::vector<float> scales;
};

Scratch& ScratchFor(int64_t rows, int64_t inputs) {
  thread_local Scratch scratch;
  const auto bytes = static_cast<size_t>(rows * inputs);
  if (scratch.in.size() < bytes) scratch.in.resize(bytes);
  if (scratch.scales.size() < static_cast<size_t>(rows))
    scratch.scales.resize(static_cast<size_t>(rows));
  return scratch;
}

}  // namespace

Int8Dense::Int8Dense(std::shared_ptr<const Int8Weight> weight, absl::Span<const float> bias,
                     std::optional<Activation> activation)
    : weight_(std::move(weight)), activation_(activation) {
  ATTEND_CHECK(bias.empty() || static_cast<int64_t>(bias.size()) == weight_->outputs(),
               "one bias per output");
  bias_.assign(static_cast<size_t>(weight_->num_panels() * kPanelOutputs), 0.0f);
  std::copy(bias.begin(), bias.end(), bias_.begin());
}

int64_t Int8Dense::packed_bytes() const {
  return weight_->bytes() + static_cast<int64_t>(bias_.size() * sizeof(float));
}

Int8Product Int8Dense::Weights() const {
  Int8Product product;
  product.inputs = weight_->padded_inputs();
  product.panels = weight_->parts().panels.data();
  product.weight_scales = weight_->parts().scales.data();
  product.weight_sums = weight_->parts().sums.data();
  product.bias = bias_.data();
  product.activation = activation_;
  product.outputs = outputs();
  return product;
}

void Int8Dense::Run(ConstMatrixView in, MatrixView out) const {
  ATTEND_CHECK(in.rows == out.rows && in.cols == inputs() && out.cols == outputs(),
               "shapes of a linear operation");
  RunInt8Dense(Weights(), in, out);
}

void RunInt8Dense(const Int8Product& weights, ConstMatrixView in, MatrixView out) {
  Int8Product product = weights;
  product.out_stride = out.stride;
  const int64_t num_panels = (product.outputs + kPanelOutputs - 1) / kPanelOutputs;
  const int64_t num_groups = (num_panels + kGroup - 1) / kGroup;
  for (int64_t row = 0; row < in.rows; row += kMostRows) {
    product.rows = std::min(kMostRows, in.rows - row);
    const Int8Plan plan = PlanInt8(product.rows);
    Scratch& scratch = ScratchFor(plan.rows, product.inputs);
    QuantizeRows({in.row(row), product.rows, in.cols, in.stride},
                 {scratch.in.data(), product.inputs, scratch.scales.data(), plan.flip});
    product.in = scratch.in.data();
    product.in_scales = scratch.scales.data();
    product.out = out.row(row);
    const int64_t work_of_group = product.inputs * kPanelOutputs * kGroup * product.rows;
    ParallelFor(num_groups, std::max<int64_t>(1, kThreadWork / work_of_group),
                [&](int64_t begin, int64_t end) {
                  RunInt8Panels(plan, product, begin * kGroup, std::min(end * kGroup, num_panels));
                });
  }
}

const char* Int8KernelDescription() { return Int8KernelName(); }

}  // namespace attend
