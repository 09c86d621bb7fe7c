// One live row of a decode step: its next input token, what it wrote so far, and its source.
#pragma once

#include <cstdint>

#include "engine/layers/kv_cache.h"

namespace attend {

struct DecodeRow {
  int32_t token = 0;
  SelfCache* self = nullptr;  // this step's token is appended to it
  const CrossCache* cross = nullptr;
};

}  // namespace attend
