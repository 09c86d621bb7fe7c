// Which file holds the weights is decided once, by name; then every file is opened, its
// table of tensors is parsed by its format and entered into one map, where a second tensor of the
// same name is an error.
#include "engine/checkpoint/checkpoint.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/json.h"
#include "engine/checkpoint/pytorch_file.h"
#include "engine/checkpoint/safetensors.h"

namespace attend {
namespace {

// Best first, as transformers chooses.
constexpr const char* kWeightsFiles[] = {"model.safetensors", "model.safetensors.index.json",
                                         "pytorch_model.bin", "pytorch_model.bin.index.json"};
constexpr uint64_t kMaxIndexBytes = uint64_t{16} << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<Checkpoint>> Checkpoint::Open(const ModelDirectory& directory) {
  for (const char* name : kWeightsFiles) {
    if (!directory.Has(name)) continue;
    std::unique_ptr<Checkpoint> checkpoint(new Checkpoint);
    checkpoint->name_ = name;
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
  ATTEND_ASSIGN_OR_RETURN(std::unique_ptr<StoredFile> file,
                          StoredFile::Open(directory.PathOf(name)));
  ATTEND_RETURN_IF_ERROR(file->RefuseLfsPointer());
  ATTEND_ASSIGN_OR_RETURN(std::vector<NamedTensor> tensors, absl::EndsWith(name, ".safetensors")
                                                                ? ParseSafetensors(*file)
                                                                : ParsePytorchFile(*file));
  for (NamedTensor& tensor : tensors) {
    const auto [position, is_new] = tensors_.emplace(
        std::move(tensor.name), StoredTensor{std::move(tensor.layout), file.get()});
    if (!is_new) {
      return CorruptTensor({name, position->first}, "one tensor of this name",
                           absl::StrCat("another one in ", Printable(position->second.file())));
    }
  }
  files_.push_back(std::move(file));
  return absl::OkStatus();
}

absl::Status Checkpoint::AddShards(const ModelDirectory& directory, const std::string& index_name) {
  const absl::StatusOr<Json> index = directory.ReadJson(index_name, kMaxIndexBytes);
  if (!index.ok()) return CorruptJson(index_name, index.status());
  const absl::StatusOr<Json> weight_map = index->Get("weight_map");
  if (!weight_map.ok()) return CorruptJson(index_name, weight_map.status());
  if (!weight_map->IsObject()) return CorruptJson(index_name, weight_map->RequireObject());
  std::vector<std::pair<std::string, std::string>> tensor_shards;
  std::set<std::string> shards;
  for (const std::string& tensor : weight_map->Keys()) {
    const absl::StatusOr<std::string> shard = weight_map->GetString(tensor);
    if (!shard.ok()) {
      const absl::StatusOr<Json> value = weight_map->Get(tensor);
      return CorruptTensor({index_name, tensor}, "a string, the name of a shard",
                           value.ok() ? value->TypeName() : "null");
    }
    if (!IsPlainFileName(*shard)) {
      return CorruptTensor({index_name, tensor}, "a plain file name as shard",
                           absl::StrCat("'", Printable(*shard), "'"));
    }
    if (!directory.Has(*shard)) {
      return CorruptTensor({index_name, tensor}, absl::StrCat("shard '", Printable(*shard), "'"),
                           "no such file");
    }
    shards.insert(*shard);
    tensor_shards.emplace_back(tensor, *shard);
  }
  if (shards.empty()) {
    return CorruptTensor({index_name, ""}, "the names of shards in 'weight_map'", "none");
  }
  for (const std::string& shard : shards) ATTEND_RETURN_IF_ERROR(AddFile(directory, shard));
  for (const auto& [tensor, shard] : tensor_shards) {
    const StoredTensor* stored = Find(tensor);
    if (stored == nullptr || stored->file() != shard) {
      return CorruptTensor(
          {shard, tensor}, absl::StrCat("it in this shard, as ", index_name, " says"),
          stored == nullptr ? "no such tensor" : absl::StrCat("it in ", Printable(stored->file())));
    }
  }
  return absl::OkStatus();
}

const StoredTensor* Checkpoint::Find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found != tensors_.end() ? &found->second : nullptr;
}

}  // namespace attend
