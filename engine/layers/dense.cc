// Fusing query, key and value gives oneDNN one wide product instead of three narrow ones.
#include "engine/layers/dense.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

// Packs a layer's weights; errors name the file and the weight NAME.weight.
absl::StatusOr<PackedDense> Pack(const WeightSource& layer, const Matrix& weight,
                                 const Matrix& bias, std::optional<Activation> activation) {
  auto packed = PackedDense::Create(weight.view(), {bias.data(), static_cast<size_t>(bias.cols())},
                                    activation);
  if (!packed.ok()) return layer.At("weight", packed.status());
  return packed;
}

void CopyScaled(const Matrix& from, float scale, float* to) {
  const int64_t n = from.rows() * from.cols();
  for (int64_t i = 0; i < n; ++i) to[i] = from.data()[i] * scale;
}

}  // namespace

absl::StatusOr<PackedDense> LoadDense(const WeightSource& source, const std::string& name,
                                      const DenseSpec& spec) {
  const WeightSource own = source.Sub(name);
  ATTEND_ASSIGN_OR_RETURN(Matrix weight, own.ReadMatrix("weight", spec.outputs, spec.inputs));
  ATTEND_ASSIGN_OR_RETURN(Matrix bias, own.ReadVector("bias", spec.outputs));
  if (spec.scale != 1.0f) {
    CopyScaled(weight, spec.scale, weight.data());
    CopyScaled(bias, spec.scale, bias.data());
  }
  return Pack(own, weight, bias, spec.activation);
}

absl::StatusOr<PackedDense> LoadFusedDense(const WeightSource& source,
                                           const std::vector<FusedPart>& parts) {
  std::vector<Matrix> weights, biases;
  int64_t outputs = 0;
  for (const FusedPart& part : parts) {
    ATTEND_CHECK(part.spec.inputs == parts[0].spec.inputs && !part.spec.activation,
                 "fused layers must be alike");
    const WeightSource own = source.Sub(part.name);
    ATTEND_ASSIGN_OR_RETURN(Matrix weight,
                            own.ReadMatrix("weight", part.spec.outputs, part.spec.inputs));
    ATTEND_ASSIGN_OR_RETURN(Matrix bias, own.ReadVector("bias", part.spec.outputs));
    weights.push_back(std::move(weight));
    biases.push_back(std::move(bias));
    outputs += part.spec.outputs;
  }
  const WeightSource first = source.Sub(parts[0].name);
  ATTEND_ASSIGN_OR_RETURN(Matrix weight, first.Allocate("weight", outputs, parts[0].spec.inputs));
  ATTEND_ASSIGN_OR_RETURN(Matrix bias, first.Allocate("bias", 1, outputs));
  int64_t row = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    CopyScaled(weights[i], parts[i].spec.scale, weight.row(row));
    CopyScaled(biases[i], parts[i].spec.scale, bias.data() + row);
    row += parts[i].spec.outputs;
  }
  return Pack(first, weight, bias, std::nullopt);
}

}  // namespace attend
