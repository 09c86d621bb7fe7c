// Where models come from and what is chosen about each, as the command line says it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/engine.h"  // ModelChoices

namespace attend::server {

struct ModelSource {
  std::string name;                   // "en-fr"
  std::string directory;              // absolute, when it was parsed
  ModelChoices choices = {};          // those that its own options name
  bool has_own_compute_type = false;  // else the server's is taken
  bool has_own_shortlist = false;     // likewise
};

// One --model: [NAME=]FOLDER[,KEY=VALUE…], or several of them, separated by commas. Keys are
// compute-type, and shortlist (auto, off or a file). A comma may stand in the name of a folder that
// is there; of one that is not, where what follows does not look like KEY=VALUE. INVALID_ARGUMENT
// with a message for the terminal.
absl::StatusOr<std::vector<ModelSource>> ParseModelFlag(const std::string& text);

// Every sub-folder with a config.json, by name, for --models-dir.
absl::StatusOr<std::vector<ModelSource>> ScanModelsFolder(const std::string& folder);

// "auto" as nullopt. INVALID_ARGUMENT names the flag.
absl::StatusOr<std::optional<ComputeType>> ParseComputeTypeFlag(const std::string& flag,
                                                                const std::string& text);

// Letters, digits, '.', '_' and '-', starting with a letter or digit; at most 63.
bool IsModelName(const std::string& name);

}  // namespace attend::server
