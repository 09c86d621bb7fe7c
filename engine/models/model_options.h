// What may be chosen about a model when it is loaded.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "engine/checkpoint/cache_folder.h"
#include "engine/models/model_spec.h"
#include "engine/tensor/compute_type.h"

namespace attend {

// Whether translations are made of a shortlist's tokens only (shortlist.h).
struct ShortlistChoice {
  enum class Use {
    kOff,
    kAuto,  // where the folder has lexical.shortlist and the compute type allows it
    kFile   // that of `path`, or the load fails
  };
  Use use = Use::kOff;
  std::string path;
};

struct ModelOptions {
  // nullopt: the fastest that the family supports ("auto").
  std::optional<ComputeType> compute_type = ComputeType::kFloat32;
  // Where packed weights are kept, and the revision that they are kept for. By default nowhere.
  CacheFolder cache;
  std::string revision;
  ShortlistChoice shortlist;
};

// The one place that decides what "auto" means and which types a model can run in. UNIMPLEMENTED /
// MODEL_FAILED, with metadata compute_type and architecture, for a type that it cannot.
absl::StatusOr<ComputeType> ResolveComputeType(const ModelSpec& spec,
                                               std::optional<ComputeType> wanted);

}  // namespace attend
