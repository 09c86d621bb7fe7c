// down(activation(up(x))).
#pragma once

#include "absl/status/statusor.h"
#include "engine/layers/block_spec.h"  // Activation
#include "engine/layers/dense.h"
#include "engine/layers/weight_source.h"
#include "engine/layers/workspace.h"

namespace attend {

struct FeedForwardSpec {
  int64_t hidden_size = 0, intermediate_size = 0;
  Activation activation = Activation::kRelu;
};

class FeedForward {
 public:
  // up.{weight,bias}, down.{weight,bias}.
  static absl::StatusOr<FeedForward> Load(const WeightSource& source, const FeedForwardSpec& spec);

  // Resizes out to [rows, hidden_size].
  void Forward(ConstMatrixView x, Workspace* workspace, Matrix* out) const;
  int64_t weight_bytes() const { return up_.packed_bytes() + down_.packed_bytes(); }

 private:
  FeedForward(Dense up, Dense down) : up_(std::move(up)), down_(std::move(down)) {}
  Dense up_, down_;
};

}  // namespace attend
