// All tensors of a model folder by name, whichever way they are stored: model.safetensors, a
// sharded model.safetensors.index.json, pytorch_model.bin (the zip form of torch >= 1.6 and nothing
// else), or a sharded pytorch_model.bin.index.json. safetensors wins when both are there. Views
// point into mapped files and live as long as the Checkpoint. Nothing is executed: the pickle
// reader knows tensors, dicts and ordered dicts, and refuses the rest.
//
// Errors name file and tensor: DATA_LOSS / reason CHECKPOINT_CORRUPT (metadata file, tensor) for
// truncated, overlapping or malformed content, for a shard that an index names and the folder
// lacks, for a tensor that two shards hold; NOT_FOUND when no weights file is there, UNIMPLEMENTED
// / CHECKPOINT_UNSUPPORTED for the pre-1.6 torch format.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/tensor/tensor_view.h"

namespace attend {

struct StoredTensor {
  TensorView view;
  std::string file;  // plain name of the file it lies in
};

class Checkpoint {
 public:
  static absl::StatusOr<std::unique_ptr<Checkpoint>> Open(const ModelDirectory& directory);

  // nullptr when there is no such tensor.
  const StoredTensor* Find(std::string_view name) const;
  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }

 private:
  absl::Status AddFile(const ModelDirectory& directory, const std::string& name);
  absl::Status AddShards(const ModelDirectory& directory, const std::string& index_name);

  std::vector<std::unique_ptr<MappedFile>> maps_;
  std::vector<std::vector<uint8_t>>
      copies_;  // tensors whose storage is not contiguous, rewritten row-major
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

}  // namespace attend
