// down(activation(up(x))), or down(activation(gate(x)) * up(x)) where it is gated.
#pragma once

#include "absl/status/statusor.h"
#include "engine/layers/block_spec.h"
#include "engine/layers/dense.h"
#include "engine/layers/stack_spec.h"
#include "engine/layers/weight_source.h"
#include "engine/layers/workspace.h"

namespace attend {

struct FeedForwardSpec {
  int64_t hidden_size = 0, intermediate_size = 0;
  Activation activation = Activation::kRelu;
  FeedForwardKind kind = FeedForwardKind::kPlain;
  LinearBias bias = LinearBias::kPresent;
};
FeedForwardSpec FeedForwardSpecOf(const StackSpec& spec);

class FeedForward {
 public:
  // up.{weight,bias}, down.{weight,bias}, and gate.{weight,bias} where it is gated.
  static absl::StatusOr<FeedForward> Load(const WeightSource& source, const FeedForwardSpec& spec);

  // Resizes out to [rows, hidden_size].
  void Forward(ConstMatrixView x, Workspace* workspace, Matrix* out) const;
  int64_t weight_bytes() const { return up_.packed_bytes() + down_.packed_bytes(); }

 private:
  FeedForward(const FeedForwardSpec& spec, Dense up, Dense down)
      : spec_(spec), up_(std::move(up)), down_(std::move(down)) {}
  FeedForwardSpec spec_;
  Dense up_;  // gated: outputs gate, up
  Dense down_;
};

}  // namespace attend
