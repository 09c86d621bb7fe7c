// Fusing query, key and value gives one wide product instead of three narrow ones.
#include "engine/layers/dense.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

absl::Span<const float> SpanOf(const Matrix& vector) {
  return {vector.data(), static_cast<size_t>(vector.cols())};
}

void CopyScaled(const Matrix& from, float scale, float* to) {
  const int64_t n = from.rows() * from.cols();
  for (int64_t i = 0; i < n; ++i) to[i] = from.data()[i] * scale;
}

// The parts' weights, scaled, below each other.
absl::StatusOr<Matrix> ReadWeights(const WeightSource& source,
                                   const std::vector<FusedPart>& parts) {
  if (parts.size() == 1) {
    const DenseSpec& spec = parts[0].spec;
    ATTEND_ASSIGN_OR_RETURN(
        Matrix weight, source.Sub(parts[0].name).ReadMatrix("weight", spec.outputs, spec.inputs));
    if (spec.scale != 1.0f) CopyScaled(weight, spec.scale, weight.data());
    return weight;
  }
  int64_t outputs = 0;
  for (const FusedPart& part : parts) outputs += part.spec.outputs;
  Matrix all;
  int64_t row = 0;
  for (const FusedPart& part : parts) {
    const WeightSource own = source.Sub(part.name);
    ATTEND_ASSIGN_OR_RETURN(const Matrix weight,
                            own.ReadMatrix("weight", part.spec.outputs, part.spec.inputs));
    // After the first read: by then the sizes that the configuration claims have proved true.
    if (row == 0) {
      ATTEND_ASSIGN_OR_RETURN(all, own.Allocate("weight", outputs, part.spec.inputs));
    }
    CopyScaled(weight, part.spec.scale, all.row(row));
    row += part.spec.outputs;
  }
  return all;
}

absl::StatusOr<Matrix> ReadBiases(const WeightSource& source, const std::vector<FusedPart>& parts) {
  int64_t outputs = 0;
  for (const FusedPart& part : parts) outputs += part.spec.outputs;
  Matrix all;
  int64_t first = 0;
  for (const FusedPart& part : parts) {
    const WeightSource own = source.Sub(part.name);
    ATTEND_ASSIGN_OR_RETURN(const Matrix bias, own.ReadVector("bias", part.spec.outputs));
    if (first == 0) {
      ATTEND_ASSIGN_OR_RETURN(all, own.Allocate("bias", 1, outputs));
    }
    CopyScaled(bias, part.spec.scale, all.data() + first);
    first += part.spec.outputs;
  }
  return all;
}

absl::StatusOr<std::shared_ptr<const Int8Weight>> Quantize(const WeightSource& layer,
                                                           std::string_view name,
                                                           const Matrix& weight) {
  auto quantized = Int8Weight::Quantize(weight.view());
  if (!quantized.ok()) return layer.At(name, quantized.status());
  return quantized;
}

absl::StatusOr<Dense> LoadParts(const WeightSource& source, const std::vector<FusedPart>& parts) {
  const std::optional<Activation> activation = parts[0].spec.activation;
  const WeightSource first = source.Sub(parts[0].name);
  if (source.compute_type() == ComputeType::kInt8) {
    ATTEND_ASSIGN_OR_RETURN(const Matrix weight, ReadWeights(source, parts));
    ATTEND_ASSIGN_OR_RETURN(const Matrix bias, ReadBiases(source, parts));
    ATTEND_ASSIGN_OR_RETURN(const auto quantized, Quantize(first, "weight", weight));
    return Dense(Int8Dense(quantized, SpanOf(bias), activation));
  }
  ATTEND_ASSIGN_OR_RETURN(const Matrix weight, ReadWeights(source, parts));
  ATTEND_ASSIGN_OR_RETURN(const Matrix bias, ReadBiases(source, parts));
  auto packed = PackedDense::Create(weight.view(), SpanOf(bias), activation);
  if (!packed.ok()) return first.At("weight", packed.status());
  return Dense(*std::move(packed));
}

}  // namespace

absl::StatusOr<Dense> LoadDense(const WeightSource& source, const std::string& name,
                                const DenseSpec& spec) {
  return LoadParts(source, {{name, spec}});
}

absl::StatusOr<Dense> LoadFusedDense(const WeightSource& source,
                                     const std::vector<FusedPart>& parts) {
  for (const FusedPart& part : parts) {
    ATTEND_CHECK(part.spec.inputs == parts[0].spec.inputs && !part.spec.activation,
                 "fused layers must be alike");
  }
  return LoadParts(source, parts);
}

absl::StatusOr<std::shared_ptr<const Int8Weight>> LoadInt8Weight(const WeightSource& source,
                                                                 const std::string& name,
                                                                 const WeightSize& size) {
  ATTEND_ASSIGN_OR_RETURN(const Matrix weight, source.ReadMatrix(name, size.outputs, size.inputs));
  return Quantize(source, name, weight);
}

}  // namespace attend
