// Loads linear layers out of a checkpoint into their packed form (ops/dense.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/layers/weight_source.h"
#include "engine/ops/dense.h"

namespace attend {

struct DenseSpec {
  int64_t inputs = 0, outputs = 0;
  std::optional<Activation> activation;
  float scale = 1.0f;  // weights and bias are multiplied by it
};

// NAME.weight [outputs, inputs] and NAME.bias [outputs].
absl::StatusOr<PackedDense> LoadDense(const WeightSource& source, const std::string& name,
                                      const DenseSpec& spec);

// Several layers with the same input as one, their outputs side by side in this order. REQUIRES:
// equal inputs, no activation.
struct FusedPart {
  std::string name;
  DenseSpec spec;
};
absl::StatusOr<PackedDense> LoadFusedDense(const WeightSource& source,
                                           const std::vector<FusedPart>& parts);

}  // namespace attend
