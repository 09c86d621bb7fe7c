// Which text an answer is about, which model gave it, and how its spans are to count.
#pragma once

#include <string>

#include "engine/text/offset_map.h"

namespace attend::server {

struct TextContext {
  const std::string& text;  // the caller's; outlives this
  OffsetUnit unit;
  std::string model_revision;  // "models/en-fr@0123456789abcdef"
};

}  // namespace attend::server
