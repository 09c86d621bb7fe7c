// Some outputs of an int8 layer, packed side by side as if they were all it had: each slot holds
// one of them. A slot's results are the bits that the whole layer gives for its output, wherever
// the slot lies and whatever the others hold.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "engine/ops/int8_dense.h"
#include "engine/tensor/matrix.h"

namespace attend {

class Int8Subset {
 public:
  // Borrows the layer. There are no slots at first.
  explicit Int8Subset(const Int8Dense* dense) : dense_(dense) {}

  int64_t slots() const { return slots_; }
  // Slots that are new hold nothing and give zeros; the others stay. Gives no memory back.
  void Resize(int64_t slots);
  // Puts an output into a slot, in place of what was there. Not while Run runs.
  void Place(int64_t slot, int64_t output);
  int64_t allocated_bytes() const;

  // out[row][slot]. REQUIRES: in is [rows, inputs], out is [rows, slots()], not overlapping.
  void Run(ConstMatrixView in, MatrixView out) const;

 private:
  struct Free {
    void operator()(int8_t* p) const { std::free(p); }
  };
  void Reserve(int64_t num_panels);

  const Int8Dense* dense_;
  int64_t slots_ = 0;
  int64_t capacity_ = 0;  // panels
  std::unique_ptr<int8_t, Free> panels_;
  std::vector<float> scales_, bias_;  // one a slot, padded to whole panels
  std::vector<int32_t> sums_;
};

}  // namespace attend
