// What makes a family of models: how its config.json is read and what its weights are called. A
// description; the computation is the layers'. To add a family: one file in families/ and one line
// in model_registry.cc.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/models/model_spec.h"

namespace attend {

// A stored tensor that is read by nobody, and why that is right.
struct IgnorableWeight {
  std::string name, reason;
};

struct ModelFamily {
  const char* model_type;  // as in config.json
  // What stands in front of the names of the body's tensors ("model."). A checkpoint in which no
  // name begins with it holds the body alone, saved without its head: its names lack it.
  const char* body_prefix;

  // Checks everything it reads. Errors name file, key, expected and found.
  absl::StatusOr<ModelSpec> (*ParseConfig)(const Json& config);
  // The checkpoint's names for a canonical one (layers/weight_source.h), best first; tied weights
  // have several.
  std::vector<std::string> (*StoredNames)(const ModelSpec& spec, const std::string& canonical);
  std::vector<IgnorableWeight> (*IgnorableWeights)(const ModelSpec& spec);
};

}  // namespace attend
