// Highway keeps which targets it may choose from and what it chose, process-wide.
#include "engine/ops/simd_level.h"

#include "engine/base/check.h"
#include "engine/ops/int8_tiles.h"

#define ATTEND_SIMD_VNNI
// The first header says what the second one compiles for:
// clang-format off
#include "engine/ops/simd_targets.h"
#include <hwy/highway.h>
// clang-format on

namespace attend {
namespace {

constexpr char kTiles[] = "AMX";

// All that Highway finds here, and of these what our loops are compiled for.
std::vector<int64_t> Targets() { return hwy::SupportedAndGeneratedTargets(); }

}  // namespace

std::vector<std::string> SimdLevels() {
  std::vector<std::string> names;
  if (HasInt8Tiles()) names.push_back(kTiles);
  for (const int64_t target : Targets()) names.emplace_back(hwy::TargetName(target));
  return names;
}

void LimitSimdLevel(const std::string& level) {
  hwy::SetSupportedTargetsForTest(0);
  AllowInt8Tiles(level.empty() || level == kTiles);
  int64_t allowed = 0;
  bool is_known = level.empty() || level == kTiles;
  for (const int64_t target : Targets()) {
    is_known = is_known || level == hwy::TargetName(target);
    if (is_known) allowed |= target;
  }
  ATTEND_CHECK(is_known, "an instruction set that this processor lacks");
  hwy::SetSupportedTargetsForTest(allowed);
  hwy::GetChosenTarget().DeInit();
}

}  // namespace attend
