// The activation is part of the first product's kernel. Where it is gated, gate and up are one wide
// product, so that rows are read (and quantised) once.
#include "engine/layers/feed_forward.h"

#include "engine/base/status_macros.h"
#include "engine/ops/gated_product.h"

namespace attend {
namespace {

absl::StatusOr<Dense> LoadUp(const WeightSource& source, const FeedForwardSpec& spec) {
  DenseSpec up = {spec.hidden_size, spec.intermediate_size, std::nullopt, 1.0f, spec.bias};
  switch (spec.kind) {
    case FeedForwardKind::kPlain:
      up.activation = spec.activation;
      return LoadDense(source, "up", up);
    case FeedForwardKind::kGated:
      break;
  }
  return LoadFusedDense(source, {{"gate", up}, {"up", up}});
}

}  // namespace

FeedForwardSpec FeedForwardSpecOf(const StackSpec& spec) {
  return {spec.hidden_size, spec.intermediate_size, spec.activation, spec.feed_forward,
          spec.linear_bias};
}

absl::StatusOr<FeedForward> FeedForward::Load(const WeightSource& source,
                                              const FeedForwardSpec& spec) {
  ATTEND_ASSIGN_OR_RETURN(Dense up, LoadUp(source, spec));
  ATTEND_ASSIGN_OR_RETURN(Dense down, LoadDense(source, "down",
                                                {spec.intermediate_size, spec.hidden_size,
                                                 std::nullopt, 1.0f, spec.bias}));
  return FeedForward(spec, std::move(up), std::move(down));
}

void FeedForward::Forward(ConstMatrixView x, Workspace* workspace, Matrix* out) const {
  Matrix& intermediate = workspace->intermediate;
  intermediate.Resize(x.rows, spec_.intermediate_size);
  switch (spec_.kind) {
    case FeedForwardKind::kPlain:
      up_.Run(x, intermediate.view());
      break;
    case FeedForwardKind::kGated:
      workspace->gates.Resize(x.rows, up_.outputs());
      up_.Run(x, workspace->gates.view());
      GatedProduct(spec_.activation, workspace->gates.view(), intermediate.view());
      break;
  }
  out->Resize(x.rows, down_.outputs());
  down_.Run(intermediate.view(), out->view());
}

}  // namespace attend
