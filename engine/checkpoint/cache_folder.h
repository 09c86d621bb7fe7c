// Where the server keeps what it makes out of a model folder: packed weights (panels_file.h) and
// the revision's stamp (model_revision.h). Nothing depends on it: a folder that cannot be written,
// or loses its files, costs the next start some time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace attend {

// What an operator chose. Neither: nothing is kept.
struct CacheChoice {
  bool in_model_folder = false;  // MODEL/.attend
  // Next, where that cannot be written: a folder for all models, each in a sub-folder of its own.
  // Empty: none.
  std::string shared_folder;
};

// The folders for one model, best first. A value; its methods may be called from any thread.
class CacheFolder {
 public:
  // No folder: nothing is found and nothing written.
  CacheFolder() = default;
  CacheFolder(const CacheChoice& choice, const std::string& model_folder);

  bool is_off() const { return folders_.empty(); }
  // The files of this name that there are: a folder that came with the model and cannot be written
  // may hold one as well as the one that is written.
  std::vector<std::string> Find(std::string_view name) const;
  // Where to write it: in the first folder that exists or can be made, and can be written. Makes
  // that folder. FAILED_PRECONDITION, without ErrorDetail, says for each folder why it cannot be.
  absl::StatusOr<std::string> PathForWriting(std::string_view name) const;

  const std::vector<std::string>& folders() const { return folders_; }

 private:
  std::vector<std::string> folders_;
};

}  // namespace attend
