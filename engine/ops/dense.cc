// Threads share out the panels, so that each reads its own part of the weights, once; and the rows
// where there are so many that reading does not matter.
#include "engine/ops/dense.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/ops/dense_arguments.h"
#include "engine/ops/f32_panels.h"
#include "engine/ops/onednn_dense.h"
#include "engine/ops/op_threads.h"
#include "engine/ops/weight_memory.h"

namespace attend {
namespace {

// Rows that are multiplied at a time: what is read of them for one panel stays in the second-level
// cache.
constexpr int64_t kMostRows = 128;
// Rows from which on a thread takes rows of its own.
constexpr int64_t kLeastRowsOfThread = 48;
// Multiply-adds from which on a second thread pays.
constexpr int64_t kThreadWork = int64_t{128} << 10;

int64_t NumPanels(int64_t outputs) { return (outputs + kF32PanelOutputs - 1) / kF32PanelOutputs; }

struct Panels {
  int64_t inputs = 0, outputs = 0;
  std::optional<Activation> activation;
  std::shared_ptr<char> weights;  // floats
  std::vector<float> bias;        // padded to whole panels
  const char* name = nullptr;

  int64_t bytes() const {
    return NumPanels(outputs) * kF32PanelOutputs * inputs * static_cast<int64_t>(sizeof(float));
  }
  float* data() const { return reinterpret_cast<float*>(weights.get()); }
  void Run(ConstMatrixView in, MatrixView out) const;
  // The panels [begin, end) of it, on this thread.
  void RunPart(ConstMatrixView in, MatrixView out, int64_t begin, int64_t end) const;
};

// [outputs, inputs] → [outputs / 64][inputs][64]. Sixteen inputs of 64 outputs at a time: a cache
// line of each.
void Pack(ConstMatrixView weight, float* to) {
  constexpr int64_t kStep = 16;
  for (int64_t first = 0; first < weight.rows; first += kF32PanelOutputs) {
    const int64_t count = std::min(kF32PanelOutputs, weight.rows - first);
    if (count < kF32PanelOutputs) std::fill_n(to, weight.cols * kF32PanelOutputs, 0.0f);
    for (int64_t k = 0; k < weight.cols; k += kStep) {
      const int64_t end = std::min(weight.cols, k + kStep);
      for (int64_t o = 0; o < count; ++o) {
        const float* from = weight.row(first + o);
        for (int64_t i = k; i < end; ++i) to[i * kF32PanelOutputs + o] = from[i];
      }
    }
    to += weight.cols * kF32PanelOutputs;
  }
}

void Panels::RunPart(ConstMatrixView in, MatrixView out, int64_t begin, int64_t end) const {
  F32Product product;
  product.inputs = inputs;
  product.in_stride = in.stride;
  product.panels = data();
  product.bias = bias.data();
  product.activation = activation;
  product.outputs = outputs;
  product.out_stride = out.stride;
  thread_local std::vector<float> scratch;
  for (int64_t row = 0; row < in.rows; row += kMostRows) {
    product.rows = std::min(kMostRows, in.rows - row);
    product.in = in.row(row);
    product.out = out.row(row);
    const auto size = static_cast<size_t>(F32ScratchSize(product.rows));
    if (scratch.size() < size) scratch.resize(size);
    RunF32Panels(product, begin, end, scratch.data());
  }
}

void Panels::Run(ConstMatrixView in, MatrixView out) const {
  const int64_t num_panels = NumPanels(outputs);
  if (in.rows >= kLeastRowsOfThread * OpThreads()) {
    ParallelFor(in.rows, kLeastRowsOfThread, [&](int64_t begin, int64_t end) {
      RunPart({in.row(begin), end - begin, in.cols, in.stride}, out.Rows(begin, end - begin), 0,
              num_panels);
    });
    return;
  }
  // Few rows walk a group of panels at once.
  const int64_t unit = in.rows < kF32PanelGroup ? kF32PanelGroup : 1;
  const int64_t work_of_unit = inputs * kF32PanelOutputs * unit * in.rows;
  ParallelFor((num_panels + unit - 1) / unit,
              std::max<int64_t>(1, kThreadWork / std::max<int64_t>(1, work_of_unit)),
              [&](int64_t begin, int64_t end) {
                RunPart(in, out, begin * unit, std::min(end * unit, num_panels));
              });
}

}  // namespace

struct PackedDense::Form {
  Panels panels;                        // where its name is set
  std::optional<OneDnnDense> fallback;  // elsewhere
};

PackedDense::PackedDense(std::unique_ptr<const Form> form) : form_(std::move(form)) {}
PackedDense::PackedDense(PackedDense&&) noexcept = default;
PackedDense& PackedDense::operator=(PackedDense&&) noexcept = default;
PackedDense::~PackedDense() = default;

absl::StatusOr<PackedDense> PackedDense::Create(ConstMatrixView weight,
                                                absl::Span<const float> bias,
                                                std::optional<Activation> activation) {
  CheckDenseArguments(weight, bias);
  try {
    auto form = std::make_unique<Form>();
    const char* const isa = F32PanelsName();
    if (isa == nullptr) {
      auto dense = OneDnnDense::Create(weight, bias, activation);
      if (!dense.ok()) return dense.status();
      form->fallback = *std::move(dense);
      return PackedDense(std::move(form));
    }
    Panels& panels = form->panels;
    panels.inputs = weight.cols;
    panels.outputs = weight.rows;
    panels.activation = activation;
    panels.name = std::strcmp(isa, "avx2") == 0 ? "panels:avx2" : "panels:avx512";
    panels.bias.assign(static_cast<size_t>(NumPanels(weight.rows) * kF32PanelOutputs), 0.0f);
    std::copy(bias.begin(), bias.end(), panels.bias.begin());
    panels.weights = AllocateWeights(panels.bytes());
    if (panels.weights == nullptr) return NoMemoryForDense(weight);
    Pack(weight, panels.data());
    return PackedDense(std::move(form));
  } catch (const std::bad_alloc&) {
    return NoMemoryForDense(weight);
  }
}

int64_t PackedDense::inputs() const {
  return form_->fallback ? form_->fallback->inputs() : form_->panels.inputs;
}
int64_t PackedDense::outputs() const {
  return form_->fallback ? form_->fallback->outputs() : form_->panels.outputs;
}
int64_t PackedDense::packed_bytes() const {
  if (form_->fallback) return form_->fallback->packed_bytes();
  return form_->panels.bytes() + static_cast<int64_t>(form_->panels.bias.size() * sizeof(float));
}
const char* PackedDense::kernel_name() const {
  return form_->fallback ? form_->fallback->kernel_name() : form_->panels.name;
}

void PackedDense::Run(ConstMatrixView in, MatrixView out) const {
  ATTEND_CHECK(in.rows == out.rows && in.cols == inputs() && out.cols == outputs(),
               "shapes of a linear operation");
  ATTEND_CHECK(in.stride == in.cols && out.stride == out.cols, "rows without gaps");
  if (form_->fallback) return form_->fallback->Run(in, out);
  form_->panels.Run(in, out);
}

}  // namespace attend
