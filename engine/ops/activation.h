// The non-linear functions of feed-forward blocks; computed by oneDNN inside the linear operation
// (ops/dense.h).
#pragma once

namespace attend {

// kGelu: x * Phi(x) with the error function. kGeluTanh: its tanh approximation ("gelu_new"). kSilu:
// x * sigmoid(x).
enum class Activation { kRelu, kGelu, kGeluTanh, kSilu };

constexpr const char* Name(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return "relu";
    case Activation::kGelu:
      return "gelu";
    case Activation::kGeluTanh:
      return "gelu_tanh";
    case Activation::kSilu:
      return "silu";
  }
  return "?";
}

}  // namespace attend
