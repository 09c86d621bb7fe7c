// Which file holds the weights is decided once, by name; then every file is mapped, parsed by its
// format, and its tensors are entered into one map, where a second tensor of the same name is an
// error.
#include "engine/checkpoint/checkpoint.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/json.h"
#include "engine/checkpoint/pytorch_archive.h"
#include "engine/checkpoint/safetensors.h"

namespace attend {
namespace {

// Best first, as transformers chooses.
constexpr const char* kWeightsFiles[] = {"model.safetensors", "model.safetensors.index.json",
                                         "pytorch_model.bin", "pytorch_model.bin.index.json"};

}  // namespace

absl::StatusOr<std::unique_ptr<Checkpoint>> Checkpoint::Open(const ModelDirectory& directory) {
  for (const char* name : kWeightsFiles) {
    if (!directory.Has(name)) continue;
    std::unique_ptr<Checkpoint> checkpoint(new Checkpoint);
    if (absl::EndsWith(name, ".index.json")) {
      ATTEND_RETURN_IF_ERROR(checkpoint->AddShards(directory, name));
    } else {
      ATTEND_RETURN_IF_ERROR(checkpoint->AddFile(directory, name));
    }
    return checkpoint;
  }
  ErrorDetail detail;
  detail.reason = "CHECKPOINT_FILE_MISSING";
  detail.resource_type = "file";
  detail.resource_name = directory.PathOf(kWeightsFiles[0]);
  detail.metadata.emplace_back("file", directory.PathOf(kWeightsFiles[0]));
  std::string expected;
  for (const char* name : kWeightsFiles)
    absl::StrAppend(&expected, expected.empty() ? "" : ", ", name);
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat(directory.path(), ": no weights: expected one of ", expected),
                   std::move(detail));
}

absl::Status Checkpoint::AddFile(const ModelDirectory& directory, const std::string& name) {
  ATTEND_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> map,
                          MappedFile::Open(directory.PathOf(name)));
  std::vector<NamedTensor> tensors;
  if (absl::EndsWith(name, ".safetensors")) {
    ATTEND_ASSIGN_OR_RETURN(tensors, ParseSafetensors(map->bytes(), name));
  } else {
    ATTEND_ASSIGN_OR_RETURN(PytorchTensors parsed, ParsePytorchArchive(map->bytes(), name));
    tensors = std::move(parsed.tensors);
    // Moving a vector moves no bytes, so the views stay good.
    for (std::vector<uint8_t>& copy : parsed.copies) copies_.push_back(std::move(copy));
  }
  maps_.push_back(std::move(map));
  for (NamedTensor& tensor : tensors) {
    const auto [position, is_new] =
        tensors_.emplace(std::move(tensor.name), StoredTensor{std::move(tensor.view), name});
    if (!is_new) {
      return CorruptCheckpoint(
          {name, position->first},
          absl::StrCat("is stored twice, also in ", Printable(position->second.file)));
    }
  }
  return absl::OkStatus();
}

absl::Status Checkpoint::AddShards(const ModelDirectory& directory, const std::string& index_name) {
  const absl::StatusOr<Json> index = directory.ReadJson(index_name);
  if (!index.ok() && index.status().code() == absl::StatusCode::kInvalidArgument) {
    return CorruptCheckpoint({index_name, ""}, std::string(index.status().message()));
  }
  ATTEND_RETURN_IF_ERROR(index.status());
  const absl::StatusOr<Json> weight_map = index->Get("weight_map");
  if (!weight_map.ok() || !weight_map->IsObject()) {
    return CorruptCheckpoint({index_name, ""}, "expected an object 'weight_map'");
  }
  std::vector<std::pair<std::string, std::string>> tensor_shards;
  std::set<std::string> shards;
  for (const std::string& tensor : weight_map->Keys()) {
    const absl::StatusOr<std::string> shard = weight_map->GetString(tensor);
    if (!shard.ok()) return CorruptCheckpoint({index_name, tensor}, "expected the name of a shard");
    if (!IsPlainFileName(*shard)) {
      return CorruptCheckpoint(
          {index_name, tensor},
          absl::StrCat("expected a plain file name as shard, found '", Printable(*shard), "'"));
    }
    if (!directory.Has(*shard)) {
      return CorruptCheckpoint({index_name, tensor},
                               absl::StrCat("shard '", Printable(*shard), "' is missing"));
    }
    shards.insert(*shard);
    tensor_shards.emplace_back(tensor, *shard);
  }
  if (shards.empty()) return CorruptCheckpoint({index_name, ""}, "'weight_map' names no shard");
  for (const std::string& shard : shards) ATTEND_RETURN_IF_ERROR(AddFile(directory, shard));
  for (const auto& [tensor, shard] : tensor_shards) {
    const StoredTensor* stored = Find(tensor);
    if (stored == nullptr || stored->file != shard) {
      return CorruptCheckpoint({shard, tensor},
                               absl::StrCat("is not in the shard that ", index_name, " names"));
    }
  }
  return absl::OkStatus();
}

const StoredTensor* Checkpoint::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found != tensors_.end() ? &found->second : nullptr;
}

}  // namespace attend
