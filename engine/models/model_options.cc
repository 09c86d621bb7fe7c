// "auto" never fails: it is what a server does whose operator has no opinion.
#include "engine/models/model_options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"

namespace attend {
namespace {

// Every family so far is made of layers that know both.
bool Supports(const ModelSpec&, ComputeType) { return true; }

absl::Status Unsupported(const ModelSpec& spec, ComputeType type) {
  ErrorDetail detail;
  detail.reason = "MODEL_FAILED";
  detail.metadata = {{"compute_type", Name(type)}, {"architecture", spec.architecture}};
  return MakeError(absl::StatusCode::kUnimplemented,
                   absl::StrCat(spec.architecture, " does not run in ", Name(type)),
                   std::move(detail));
}

}  // namespace

absl::StatusOr<ComputeType> ResolveComputeType(const ModelSpec& spec,
                                               std::optional<ComputeType> wanted) {
  if (!wanted.has_value())
    return Supports(spec, ComputeType::kInt8) ? ComputeType::kInt8 : ComputeType::kFloat32;
  if (!Supports(spec, *wanted)) return Unsupported(spec, *wanted);
  return *wanted;
}

}  // namespace attend
