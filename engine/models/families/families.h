// Every family file's one export.
#pragma once

#include "engine/models/model_family.h"

namespace attend {

const ModelFamily& MarianFamily();

}  // namespace attend
