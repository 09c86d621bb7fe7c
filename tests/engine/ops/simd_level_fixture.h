// Tests that run once for each of some instruction sets (ops/simd_level.h).
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "engine/ops/simd_level.h"

namespace attend {

class SimdLevelFixture : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { LimitSimdLevel(GetParam()); }
  void TearDown() override { LimitSimdLevel(""); }
};

// The level's name as the name of the instance.
inline std::string NameOfLevel(const ::testing::TestParamInfo<std::string>& level) {
  return level.param;
}

}  // namespace attend
