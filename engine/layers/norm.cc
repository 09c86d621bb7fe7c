// The residual sum is part of the norm's first pass (ops/layer_norm.h) where the norm comes after
// it.
#include "engine/layers/norm.h"

#include <utility>

#include "engine/base/status_macros.h"
#include "engine/ops/layer_norm.h"
#include "engine/ops/rms_norm.h"

namespace attend {

NormSpec NormSpecOf(const StackSpec& spec) {
  return {spec.hidden_size, spec.layer_norm_eps, spec.norm_kind};
}

absl::StatusOr<Norm> Norm::Load(const WeightSource& source, const std::string& name,
                                const NormSpec& spec) {
  Norm norm;
  const WeightSource own = source.Sub(name);
  ATTEND_ASSIGN_OR_RETURN(norm.scale_, own.ReadVector("weight", spec.hidden_size));
  if (spec.kind == NormKind::kLayerNorm) {
    ATTEND_ASSIGN_OR_RETURN(norm.shift_, own.ReadVector("bias", spec.hidden_size));
  }
  norm.kind_ = spec.kind;
  norm.eps_ = spec.eps;
  return norm;
}

void Norm::Apply(MatrixView x) const { Apply(x, x); }

void Norm::Apply(ConstMatrixView in, MatrixView out) const { Run(in, ConstMatrixView{}, out); }

void Norm::ApplyToSum(ConstMatrixView addend, MatrixView x) const { Run(x, addend, x); }

void Norm::Run(ConstMatrixView in, ConstMatrixView addend, MatrixView out) const {
  switch (kind_) {
    case NormKind::kLayerNorm:
      LayerNorm(in, addend, {scale_.data(), shift_.data(), eps_}, out);
      return;
    case NormKind::kRms:
      RmsNorm(in, addend, {scale_.data(), eps_}, out);
      return;
  }
}

absl::StatusOr<ResidualNorm> ResidualNorm::Load(const WeightSource& source, const std::string& name,
                                                const NormSpec& spec, NormPlacement placement) {
  ResidualNorm residual;
  ATTEND_ASSIGN_OR_RETURN(residual.norm_, Norm::Load(source, name, spec));
  residual.placement_ = placement;
  return residual;
}

ConstMatrixView ResidualNorm::Enter(ConstMatrixView x, Matrix* scratch) const {
  switch (placement_) {
    case NormPlacement::kPost:
      return x;
    case NormPlacement::kPre:
      scratch->Resize(x.rows, x.cols);
      norm_.Apply(x, scratch->view());
      return scratch->view();
  }
  return x;
}

void ResidualNorm::Leave(ConstMatrixView sublayer, MatrixView x) const {
  switch (placement_) {
    case NormPlacement::kPost:
      norm_.ApplyToSum(sublayer, x);
      return;
    case NormPlacement::kPre:
      AddRows(sublayer, x);
      return;
  }
}

}  // namespace attend
