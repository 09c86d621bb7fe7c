// All tensors of a model folder by name, whichever way they are stored: model.safetensors, a
// sharded model.safetensors.index.json, pytorch_model.bin (what torch.save writes: a zip archive,
// or before torch 1.6 a row of pickles), or a sharded pytorch_model.bin.index.json. safetensors
// wins when both are there. Files stay open as long as the Checkpoint lives, and their tensors are
// read when asked for. Nothing is executed: the pickle reader knows tensors, dicts and ordered
// dicts, and refuses the rest.
//
// Errors name file and tensor, what was expected and what was found: DATA_LOSS / reason
// CHECKPOINT_CORRUPT (metadata file, tensor) for truncated, overlapping or malformed content, for a
// shard that an index names and the folder lacks, for a tensor that two shards hold, for a Git LFS
// pointer in place of a file; NOT_FOUND when no weights file is there, UNIMPLEMENTED /
// CHECKPOINT_UNSUPPORTED for forms that Attend does not read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/checkpoint/stored_file.h"
#include "engine/checkpoint/tensor_layout.h"

namespace attend {

struct StoredTensor {
  TensorLayout layout;
  const StoredFile* source = nullptr;  // the checkpoint's

  const std::string& file() const { return source->name(); }
};

class Checkpoint {
 public:
  static absl::StatusOr<std::unique_ptr<Checkpoint>> Open(const ModelDirectory& directory);

  // The file that was opened: the weights, or the index of their shards.
  const std::string& name() const { return name_; }
  // nullptr when there is no such tensor.
  const StoredTensor* Find(std::string_view name) const;
  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }

 private:
  absl::Status AddFile(const ModelDirectory& directory, const std::string& name);
  absl::Status AddShards(const ModelDirectory& directory, const std::string& index_name);

  std::string name_;
  std::vector<std::unique_ptr<StoredFile>> files_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

}  // namespace attend
