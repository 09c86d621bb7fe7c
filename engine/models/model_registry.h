// The list of model families that Attend can run.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/models/model_family.h"

namespace attend {

// The family that config.json names by `model_type`. UNIMPLEMENTED / ARCHITECTURE_UNKNOWN with
// metadata architecture for one that we lack, FAILED_PRECONDITION when the key is missing.
absl::StatusOr<const ModelFamily*> FindFamily(const Json& config);

// Every model_type, sorted.
std::vector<std::string> KnownModelTypes();

}  // namespace attend
