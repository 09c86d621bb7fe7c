// In which numbers a model computes its projections.
#pragma once

#include <optional>
#include <string_view>

namespace attend {

// kInt8: weights and activations of the projections in 8 bits, sums in 32; the rest in float32.
enum class ComputeType { kFloat32, kInt8 };

// As flags, metrics and the API spell it.
constexpr const char* Name(ComputeType type) {
  switch (type) {
    case ComputeType::kFloat32:
      return "float32";
    case ComputeType::kInt8:
      return "int8";
  }
  return "?";
}

// The type that is spelt so; nullopt for another text.
constexpr std::optional<ComputeType> ParseComputeType(std::string_view name) {
  for (const ComputeType type : {ComputeType::kFloat32, ComputeType::kInt8}) {
    if (name == Name(type)) return type;
  }
  return std::nullopt;
}

}  // namespace attend
