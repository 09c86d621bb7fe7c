// Where a layer gets its weights when a model is loaded: by our canonical names, which the family
// of the model translates into the checkpoint's. Lives during loading only.
//
// Canonical names: {encoder,decoder}.embeddings.token.weight, {encoder,decoder}.layers.{i}.
// {self_attention,cross_attention}.{query,key,value,output}.{weight,bias},
// ….feed_forward.{gate,up,down}.{weight,bias},
// ….{self_attention_norm,cross_attention_norm,feed_forward_norm}.{weight,bias},
// {encoder,decoder}.embedding_norm and ….final_norm likewise, lm_head.{weight,bias}. Where they are
// stored: {encoder,decoder}.embeddings.position.weight, ….embeddings.token_type.weight,
// {encoder,decoder}.relative_bias.weight.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/weight_reader.h"
#include "engine/tensor/compute_type.h"
#include "engine/tensor/matrix.h"

namespace attend {

class Int8Store;

struct WeightForm {
  ComputeType compute_type = ComputeType::kFloat32;
  Int8Store* int8_store = nullptr;  // borrowed; may be null
};

class WeightSource {
 public:
  // Every name under which the checkpoint may hold a canonical one, best first.
  using Translate = std::function<std::vector<std::string>(const std::string& canonical)>;

  // Borrows the reader.
  WeightSource(WeightReader* reader, Translate translate, WeightForm form = WeightForm())
      : reader_(reader), translate_(std::move(translate)), form_(form) {}

  // What linear layers are to be made of.
  const WeightForm& form() const { return form_; }

  // The names below `name`: Sub("encoder").Sub("layers.0").
  WeightSource Sub(std::string_view name) const;

  bool Has(std::string_view name) const;
  // A [rows, cols] matrix, or a vector of n as 1 x n. Errors are the reader's, and DATA_LOSS /
  // CHECKPOINT_CORRUPT for numbers that are not finite: they would make every result NaN without a
  // word. All name file, tensor, expected and found.
  absl::StatusOr<Matrix> ReadMatrix(std::string_view name, int64_t rows, int64_t cols) const;
  absl::StatusOr<Matrix> ReadVector(std::string_view name, int64_t n) const;

  // For a weight that an Int8Store has: it is part of the model though nobody reads it here. The
  // same errors as ReadMatrix but for those of its contents.
  absl::Status Claim(std::string_view name, int64_t rows, int64_t cols) const;
  // The canonical name in full.
  std::string FullName(std::string_view name) const { return prefix_ + std::string(name); }

  // Memory to make a layer in: RESOURCE_EXHAUSTED, naming file and tensor, when it is short.
  absl::StatusOr<Matrix> Allocate(std::string_view name, int64_t rows, int64_t cols) const;
  // An error that concerns a weight, with file and tensor put before its message.
  absl::Status At(std::string_view name, const absl::Status& error) const;

 private:
  absl::StatusOr<Matrix> Read(std::string_view name, const Shape& shape) const;
  std::vector<std::string> StoredNames(std::string_view name) const;

  WeightReader* reader_;
  Translate translate_;
  WeightForm form_;
  std::string prefix_;  // empty or with a dot at the end
};

}  // namespace attend
