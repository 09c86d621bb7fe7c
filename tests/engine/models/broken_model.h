// A copy of a golden checkpoint that a test may change before it is loaded: config keys,
// tensors, bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/models/model.h"
#include "tests/engine/checkpoint/checkpoint_files.h"

namespace attend {

class BrokenModel {
 public:
  // `golden`: a folder of tests/golden.
  explicit BrokenModel(const std::string& golden = "marian_tiny");

  // Sets a key of config.json to JSON text; removes it.
  void SetKey(const std::string& key, const std::string& json);
  void RemoveKey(const std::string& key);
  std::string& config() { return config_; }
  const std::string& config() const { return config_; }

  // REQUIRES: there is such a tensor.
  TensorToWrite& Tensor(std::string_view name);
  void RemoveTensor(std::string_view name);
  void RenameTensor(std::string_view name, const std::string& other) { Tensor(name).name = other; }
  void AddTensor(TensorToWrite tensor) { tensors_.push_back(std::move(tensor)); }
  std::vector<TensorToWrite>& tensors() { return tensors_; }
  const std::vector<TensorToWrite>& tensors() const { return tensors_; }

  // Writes the folder and loads it. `cut` bytes are missing at the end of the weights file.
  absl::StatusOr<std::unique_ptr<Model>> Load(LoadReport* report = nullptr, size_t cut = 0) const;
  absl::Status LoadStatus() const { return Load().status(); }

 private:
  std::string config_;
  std::vector<TensorToWrite> tensors_;
};

// float32 as float16: cut, not rounded; what is below half's smallest normal number becomes zero.
std::string HalvesFromFloats(const std::string& float_bytes);

}  // namespace attend
