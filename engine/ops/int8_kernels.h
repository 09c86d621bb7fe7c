// The products of quantised rows with packed int8 weights; internal to the room. Every kernel sums
// exactly in 32-bit integers and ends with the same float operations, so all give the same bits for
// any number of rows and any order of summation.
//
// Packed weights ("panels"): 16 outputs side by side, for each the bytes of 4 consecutive inputs:
// [outputs / 16][inputs / 4][16][4], padded with zeros to whole panels and to 64 inputs.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/ops/activation.h"
#include "engine/tensor/matrix.h"

namespace attend {

constexpr int64_t kPanelOutputs = 16;
constexpr int64_t kPanelInputs = 64;  // inputs are padded to a multiple of it

struct Int8Product {
  const int8_t* in = nullptr;             // [rows, inputs], flipped when the kernel wants it
  const int8_t* in_magnitudes = nullptr;  // set and used within a kernel
  const float* in_scales = nullptr;
  int64_t rows = 0, inputs = 0;  // inputs: padded
  const int8_t* panels = nullptr;
  const float* weight_scales = nullptr;  // one an output, padded to whole panels
  const int32_t* weight_sums = nullptr;  // of each output's bytes, padded
  const float* bias = nullptr;           // padded
  std::optional<Activation> activation;
  float* out = nullptr;  // [rows, out_stride]
  int64_t outputs = 0, out_stride = 0;
};

// How a product of some rows is run on this processor.
struct Int8Plan {
  bool uses_tiles = false;  // int8_tiles.h
  uint8_t flip = 0;         // what the input must be: QuantizedRows::flip
  int64_t rows = 0;         // rows that the input must have room for
};
Int8Plan PlanInt8(int64_t rows);

// out = activation(in * weights * scales + bias) for the panels [begin, end), on this thread.
void RunInt8Panels(const Int8Plan& plan, const Int8Product& product, int64_t begin, int64_t end);

// A whole linear operation: `weights` with everything but its rows set, on as many threads as the
// caller has (op_threads.h). REQUIRES: out is [in.rows, weights.outputs], not overlapping in.
void RunInt8Dense(const Int8Product& weights, ConstMatrixView in, MatrixView out);

// "amx", "avx512_vnni", "avx2" or "portable": the best that is used here.
const char* Int8KernelName();

// Whether tiles may be used where the processor has them (simd_level.h).
void AllowInt8Tiles(bool allow);

}  // namespace attend
