// The revision of a model folder without reading its files, where nothing has changed since it was
// last computed.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/checkpoint/cache_folder.h"
#include "engine/checkpoint/model_directory.h"

namespace attend {

struct ModelRevision {
  std::string id;              // as ModelDirectory::ComputeRevision gives it
  bool is_from_stamp = false;  // the files were not read
};

// Trusts the stamp "revision.stamp" of the cache folder if name, size, times of modification and
// change, inode and device of every file that decides the revision are those that it was made for;
// else computes the revision and writes a new stamp. A stamp that is damaged, or that other users
// could have written, is ignored; one that cannot be written is done without.
//
// No stamp is made for files that changed less than two seconds before `now`, the time of the call:
// such a file could change once more without its times showing it.
//
// Errors are those of ComputeRevision.
absl::StatusOr<ModelRevision> RevisionOf(const ModelDirectory& directory, const CacheFolder& cache,
                                         absl::Time now = absl::Now());

}  // namespace attend
