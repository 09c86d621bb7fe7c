// A Hugging Face model folder as it lies on disk: which files it has, and what they digest to.
// Opens nothing outside the folder except through symbolic links that are in it (the hub's cache
// layout).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"

namespace attend {

class ModelDirectory {
 public:
  // NOT_FOUND when the folder or its config.json is missing, INVALID_ARGUMENT when config.json is
  // no JSON object.
  static absl::StatusOr<ModelDirectory> Open(const std::string& path);

  const std::string& path() const { return path_; }
  bool Has(std::string_view name) const;
  std::string PathOf(std::string_view name) const;                  // whether or not it exists
  const std::vector<std::string>& files() const { return files_; }  // sorted plain file names
  const Json& config() const { return config_; }                    // config.json
  // One of its JSON files, of at most `max_bytes`; errors as Json::ReadFile's.
  absl::StatusOr<Json> ReadJson(std::string_view name,
                                uint64_t max_bytes = Json::kMaxConfigBytes) const;

  // Those of the files that decide what the model computes: weights, *.json, *.spm, *.model, *.txt.
  std::vector<std::string> RevisionFiles() const;
  // First 16 hex digits of the SHA-256 over names and contents of these files, in name order. Reads
  // all of them; model_revision.h need not.
  absl::StatusOr<std::string> ComputeRevision() const;

 private:
  std::string path_;
  std::vector<std::string> files_;
  Json config_;
};

}  // namespace attend
