// Tensors are taken out of the golden file through the checkpoint reader, which has tests of its
// own.
#include "tests/engine/models/broken_model.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/base/check.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/model_directory.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

std::string FolderOf(const std::string& golden) {
  return std::string(ATTEND_SOURCE_DIR) + "/tests/golden/" + golden + "/model";
}

// Where `"key": value` stands in the golden config, which has one key a line: the value's [begin,
// end).
std::pair<size_t, size_t> FindValue(const std::string& config, const std::string& key) {
  const size_t name = config.find("\"" + key + "\":");
  if (name == std::string::npos) return {std::string::npos, std::string::npos};
  const size_t begin = name + key.size() + 4;
  size_t end = config.find('\n', begin);
  if (config[end - 1] == ',') --end;
  return {begin, end};
}

}  // namespace

BrokenModel::BrokenModel(const std::string& golden)
    : config_(ReadWholeFile(FolderOf(golden) + "/config.json")) {
  const ModelDirectory directory = ModelDirectory::Open(FolderOf(golden)).value();
  const std::unique_ptr<Checkpoint> checkpoint = Checkpoint::Open(directory).value();
  for (const auto& [name, stored] : checkpoint->tensors()) {
    tensors_.push_back(
        {name, Name(stored.layout.type), ToString(stored.layout.shape), BytesOf(stored)});
  }
}

void BrokenModel::SetKey(const std::string& key, const std::string& json) {
  const auto [begin, end] = FindValue(config_, key);
  if (begin == std::string::npos) {
    config_.insert(config_.find('{') + 1, "\n  \"" + key + "\": " + json + ",");
  } else {
    config_.replace(begin, end - begin, json);
  }
}

void BrokenModel::RemoveKey(const std::string& key) {
  const size_t name = config_.find("\"" + key + "\":");
  ATTEND_CHECK(name != std::string::npos, "no such key");
  config_.replace(name, key.size() + 2, "\"unused_" + key + "\"");
}

TensorToWrite& BrokenModel::Tensor(std::string_view name) {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const TensorToWrite& t) { return t.name == name; });
  ATTEND_CHECK(found != tensors_.end(), "no such tensor");
  return *found;
}

void BrokenModel::RemoveTensor(std::string_view name) {
  tensors_.erase(tensors_.begin() + (&Tensor(name) - tensors_.data()));
}

absl::StatusOr<std::unique_ptr<Model>> BrokenModel::Load(LoadReport* report, size_t cut) const {
  const TemporaryFolder folder;
  folder.Write("config.json", config_);
  const std::string weights = SafetensorsFile(tensors_);
  folder.Write("model.safetensors", std::string_view(weights).substr(0, weights.size() - cut));
  auto directory = ModelDirectory::Open(folder.path());
  if (!directory.ok()) return directory.status();
  LoadReport own;
  return Model::Load(*directory, {}, report != nullptr ? report : &own);
}

std::string HalvesFromFloats(const std::string& float_bytes) {
  std::string out;
  for (size_t i = 0; i < float_bytes.size(); i += 4) {
    uint32_t bits;
    std::memcpy(&bits, float_bytes.data() + i, 4);
    const int exponent = static_cast<int>(bits >> 23 & 0xff) - 127 + 15;
    uint16_t half = static_cast<uint16_t>(bits >> 16 & 0x8000);
    if (exponent > 0 && exponent < 31)
      half = static_cast<uint16_t>(half | exponent << 10 | (bits >> 13 & 0x3ff));
    out += LittleEndian(half, 2);
  }
  return out;
}

}  // namespace attend
