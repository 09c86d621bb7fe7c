// The activation is part of the first product's kernel.
#include "engine/layers/feed_forward.h"

#include "engine/base/status_macros.h"

namespace attend {

absl::StatusOr<FeedForward> FeedForward::Load(const WeightSource& source,
                                              const FeedForwardSpec& spec) {
  ATTEND_ASSIGN_OR_RETURN(
      Dense up,
      LoadDense(source, "up", {spec.hidden_size, spec.intermediate_size, spec.activation}));
  ATTEND_ASSIGN_OR_RETURN(
      Dense down,
      LoadDense(source, "down", {spec.intermediate_size, spec.hidden_size, std::nullopt}));
  return FeedForward(std::move(up), std::move(down));
}

void FeedForward::Forward(ConstMatrixView x, Workspace* workspace, Matrix* out) const {
  workspace->intermediate.Resize(x.rows, up_.outputs());
  up_.Run(x, workspace->intermediate.view());
  out->Resize(x.rows, down_.outputs());
  down_.Run(workspace->intermediate.view(), out->view());
}

}  // namespace attend
