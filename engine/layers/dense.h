// A linear layer of a model: one of the packed forms of ops/, loaded out of a checkpoint.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/layers/block_spec.h"  // LinearBias
#include "engine/layers/weight_source.h"
#include "engine/ops/dense.h"
#include "engine/ops/int8_dense.h"

namespace attend {

class Dense {
 public:
  Dense(PackedDense dense) : form_(std::move(dense)) {}  // NOLINT: both are linear layers
  Dense(Int8Dense dense) : form_(std::move(dense)) {}    // NOLINT

  int64_t inputs() const {
    return std::visit([](const auto& form) { return form.inputs(); }, form_);
  }
  int64_t outputs() const {
    return std::visit([](const auto& form) { return form.outputs(); }, form_);
  }
  int64_t packed_bytes() const {
    return std::visit([](const auto& form) { return form.packed_bytes(); }, form_);
  }

  // The int8 form; nullptr where it is another.
  const Int8Dense* int8() const { return std::get_if<Int8Dense>(&form_); }

  // Safe to call from several threads. REQUIRES: in is [rows, inputs], out is [rows, outputs], both
  // without gaps between rows, not overlapping.
  void Run(ConstMatrixView in, MatrixView out) const {
    std::visit([&](const auto& form) { form.Run(in, out); }, form_);
  }

 private:
  std::variant<PackedDense, Int8Dense> form_;
};

struct DenseSpec {
  int64_t inputs = 0, outputs = 0;
  std::optional<Activation> activation;
  float scale = 1.0f;  // weights and bias are multiplied by it
  LinearBias bias = LinearBias::kPresent;
};

// NAME.weight [outputs, inputs] and, where it has one, NAME.bias [outputs], in the source's compute
// type.
absl::StatusOr<Dense> LoadDense(const WeightSource& source, const std::string& name,
                                const DenseSpec& spec);

// Several layers with the same input as one, their outputs side by side in this order. REQUIRES:
// equal inputs, no activation, biases in all or in none.
struct FusedPart {
  std::string name;
  DenseSpec spec;
};
absl::StatusOr<Dense> LoadFusedDense(const WeightSource& source,
                                     const std::vector<FusedPart>& parts);

// A weight NAME by itself, quantised: a token table, say.
struct WeightSize {
  int64_t inputs = 0, outputs = 0;
};
absl::StatusOr<std::shared_ptr<const Int8Weight>> LoadInt8Weight(const WeightSource& source,
                                                                 const std::string& name,
                                                                 const WeightSize& size);

}  // namespace attend
