// The products of rows with packed float32 weights, for processors with AVX2 or AVX-512; internal
// to the room. A number is the sum over its inputs in their order, each added by one fused
// multiply-add, whatever the kernel, the number of rows and the instruction set: so a row has the
// same bits in any company.
//
// Packed weights ("panels"): 64 outputs side by side, [outputs / 64][inputs][64], padded with zeros
// to whole panels.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/ops/activation.h"

namespace attend {

constexpr int64_t kF32PanelOutputs = 64;

struct F32Product {
  const float* in = nullptr;  // [rows, in_stride]
  int64_t rows = 0, inputs = 0, in_stride = 0;
  const float* panels = nullptr;
  const float* bias = nullptr;  // padded to whole panels
  std::optional<Activation> activation;
  float* out = nullptr;  // [rows, out_stride]
  int64_t outputs = 0, out_stride = 0;
};

// "avx512" or "avx2"; nullptr where this processor has neither and the functions below must not be
// called.
const char* F32PanelsName();

// Panels that are walked at once; pieces for threads are best cut at multiples of it.
constexpr int64_t kF32PanelGroup = 4;

// Floats of scratch memory that RunF32Panels wants for a product of `rows`.
int64_t F32ScratchSize(int64_t rows);

// out = activation(in * weights + bias) for the panels [begin, end), on this thread.
void RunF32Panels(const F32Product& product, int64_t begin, int64_t end, float* scratch);

}  // namespace attend
