// Which instruction set the loops of this room use: for tests, which must try them all on one
// processor, and for the log.
#pragma once

#include <string>
#include <vector>

namespace attend {

// The levels that this processor can run, best first, for example "AMX", "AVX3_DL", "AVX3", "AVX2",
// "SSE4", "SSE2". AMX is AVX3_DL with tiles for products of int8.
std::vector<std::string> SimdLevels();
// Uses `level` (one of SimdLevels()) and nothing better from now on; "" uses the best again. Not
// while ops run: products that began with one level must not end with another.
void LimitSimdLevel(const std::string& level);

}  // namespace attend
