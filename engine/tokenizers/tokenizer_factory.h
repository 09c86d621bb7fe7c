// Model folder → its Tokenizer. The one table of tokenizer kinds, keyed by config.json's
// model_type.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "engine/checkpoint/load_report.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

// NOT_FOUND when a file of the kind is missing, DATA_LOSS when one is malformed,
// FAILED_PRECONDITION when they do not belong together (all name it), UNIMPLEMENTED for a
// model_type that no tokenizer is known for. Adds to `report`, which may be null, how well the
// files fit and what was left out.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const ModelDirectory& directory,
                                                         LoadReport* report = nullptr);

}  // namespace attend
