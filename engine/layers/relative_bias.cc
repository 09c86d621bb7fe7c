// Logarithms are taken in float32, as transformers does: a distance at the edge of a bucket must
// fall on the same side.
#include "engine/layers/relative_bias.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace attend {

int RelativeBucket(const RelativeBiasSpec& spec, AttentionKind kind, int64_t distance) {
  ATTEND_CHECK(kind != AttentionKind::kCross, "distances are between positions of one sequence");
  int buckets = spec.num_buckets, first = 0;
  if (kind == AttentionKind::kEncoderSelf) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    distance = std::abs(distance);
  } else {
    distance = -std::min<int64_t>(distance, 0);
  }
  const int exact = buckets / 2;
  if (distance < exact) return first + static_cast<int>(distance);
  const float place = std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(spec.max_distance) / exact)) *
                      static_cast<float>(buckets - exact);
  return first + std::min(exact + static_cast<int>(place), buckets - 1);
}

absl::StatusOr<std::shared_ptr<const RelativeBias>> RelativeBias::Load(const WeightSource& source,
                                                                       const StackSpec& spec,
                                                                       AttentionKind kind) {
  if (spec.position_encoding != PositionEncoding::kRelativeBias)
    return std::shared_ptr<const RelativeBias>();
  const RelativeBiasSpec& bias = spec.relative_bias;
  constexpr char kName[] = "relative_bias.weight";
  ATTEND_ASSIGN_OR_RETURN(const Matrix table,
                          source.ReadMatrix(kName, bias.num_buckets, spec.num_attention_heads));
  const int64_t reach = bias.max_distance;
  ATTEND_ASSIGN_OR_RETURN(Matrix values,
                          source.Allocate(kName, spec.num_attention_heads, 2 * reach + 1));
  for (int64_t distance = -reach; distance <= reach; ++distance) {
    const float* of_heads = table.row(RelativeBucket(bias, kind, distance));
    for (int64_t h = 0; h < values.rows(); ++h) values.row(h)[distance + reach] = of_heads[h];
  }
  return std::shared_ptr<const RelativeBias>(new RelativeBias(std::move(values), reach));
}

}  // namespace attend
