// config.json's task_specific_params, as T5 and BART checkpoints have them.
#pragma once

#include <vector>

#include "engine/models/config_reader.h"
#include "engine/models/model_spec.h"

namespace attend {

// Ascending by name; empty where the file has none. Keys that we do not know are skipped. Faults
// are the reader's.
std::vector<TaskParameters> ParseTaskParameters(ConfigReader* config);

}  // namespace attend
