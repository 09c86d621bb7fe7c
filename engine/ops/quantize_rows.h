// Symmetric 8-bit quantisation of rows: q = round(x * 127 / max|row|), x ≈ q * scale. Each row by
// itself, so a row's numbers do not depend on its neighbours; the same bits with every instruction
// set.
#pragma once

#include <cstdint>

#include "engine/tensor/matrix.h"

namespace attend {

struct QuantizedRows {
  int8_t* data = nullptr;   // [rows, stride]
  int64_t stride = 0;       // at least the columns; what lies past them is filled with zeros
  float* scales = nullptr;  // [rows]; NaN where the row held a number that is not finite
  // 0, or 0x80 to flip the top bit of every byte (padding too): the numbers plus 128 as unsigned
  // bytes, as AVX-512's products want them.
  uint8_t flip = 0;
};

void QuantizeRows(ConstMatrixView in, const QuantizedRows& out);

}  // namespace attend
