// Fusing query, key and value gives one wide product instead of three narrow ones.
#include "engine/layers/dense.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/layers/int8_store.h"

namespace attend {
namespace {

absl::Span<const float> SpanOf(const Matrix& vector) {
  return {vector.data(), static_cast<size_t>(vector.cols())};
}

void CopyScaled(const Matrix& from, float scale, float* to) {
  const int64_t n = from.rows() * from.cols();
  for (int64_t i = 0; i < n; ++i) to[i] = from.data()[i] * scale;
}

int64_t OutputsOf(const std::vector<FusedPart>& parts) {
  int64_t outputs = 0;
  for (const FusedPart& part : parts) outputs += part.spec.outputs;
  return outputs;
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
  const int64_t outputs = OutputsOf(parts);
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

// Empty where the parts have none.
absl::StatusOr<Matrix> ReadBiases(const WeightSource& source, const std::vector<FusedPart>& parts) {
  if (parts[0].spec.bias == LinearBias::kAbsent) return Matrix();
  const int64_t outputs = OutputsOf(parts);
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

using SharedInt8Weight = std::shared_ptr<const Int8Weight>;

SharedInt8Weight FindKept(const WeightSource& source, const std::string& name,
                          const WeightSize& size) {
  const Int8Store* store = source.form().int8_store;
  return store != nullptr ? store->Find(source.FullName(name), size.inputs, size.outputs) : nullptr;
}

absl::StatusOr<SharedInt8Weight> Quantize(const WeightSource& source, const std::string& name,
                                          const Matrix& weight) {
  absl::StatusOr<SharedInt8Weight> quantized = Int8Weight::Quantize(weight.view());
  if (!quantized.ok()) return quantized;
  if (Int8Store* store = source.form().int8_store) store->Add(source.FullName(name), **quantized);
  return quantized;
}

// The parts' weights below each other, under the name "query+key+value".
absl::StatusOr<SharedInt8Weight> LoadInt8Parts(const WeightSource& source,
                                               const std::vector<FusedPart>& parts) {
  std::string name;
  for (const FusedPart& part : parts) name += (name.empty() ? "" : "+") + part.name;
  const WeightSize size = {parts[0].spec.inputs, OutputsOf(parts)};
  if (SharedInt8Weight kept = FindKept(source, name, size)) {
    for (const FusedPart& part : parts) {
      ATTEND_RETURN_IF_ERROR(
          source.Sub(part.name).Claim("weight", part.spec.outputs, part.spec.inputs));
    }
    return kept;
  }
  ATTEND_ASSIGN_OR_RETURN(const Matrix weight, ReadWeights(source, parts));
  auto quantized = Quantize(source, name, weight);
  if (!quantized.ok()) return source.Sub(parts[0].name).At("weight", quantized.status());
  return quantized;
}

absl::StatusOr<Dense> LoadParts(const WeightSource& source, const std::vector<FusedPart>& parts) {
  const std::optional<Activation> activation = parts[0].spec.activation;
  if (source.form().compute_type == ComputeType::kInt8) {
    ATTEND_ASSIGN_OR_RETURN(SharedInt8Weight weight, LoadInt8Parts(source, parts));
    ATTEND_ASSIGN_OR_RETURN(const Matrix bias, ReadBiases(source, parts));
    return Dense(Int8Dense(std::move(weight), SpanOf(bias), activation));
  }
  ATTEND_ASSIGN_OR_RETURN(const Matrix weight, ReadWeights(source, parts));
  ATTEND_ASSIGN_OR_RETURN(const Matrix bias, ReadBiases(source, parts));
  auto packed = PackedDense::Create(weight.view(), SpanOf(bias), activation);
  if (!packed.ok()) return source.Sub(parts[0].name).At("weight", packed.status());
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
    ATTEND_CHECK(part.spec.inputs == parts[0].spec.inputs && !part.spec.activation &&
                     part.spec.bias == parts[0].spec.bias,
                 "fused layers must be alike");
  }
  return LoadParts(source, parts);
}

absl::StatusOr<std::shared_ptr<const Int8Weight>> LoadInt8Weight(const WeightSource& source,
                                                                 const std::string& name,
                                                                 const WeightSize& size) {
  if (SharedInt8Weight kept = FindKept(source, name, size)) {
    ATTEND_RETURN_IF_ERROR(source.Claim(name, size.outputs, size.inputs));
    return kept;
  }
  ATTEND_ASSIGN_OR_RETURN(const Matrix weight, source.ReadMatrix(name, size.outputs, size.inputs));
  auto quantized = Quantize(source, name, weight);
  if (!quantized.ok()) return source.At(name, quantized.status());
  return quantized;
}

}  // namespace attend
