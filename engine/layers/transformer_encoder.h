// A whole encoder: embeddings → layers → final norm.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/layers/embedding.h"
#include "engine/layers/encoder_layer.h"
#include "engine/layers/norm.h"
#include "engine/layers/ragged_batch.h"
#include "engine/layers/stack_spec.h"

namespace attend {

class TransformerEncoder {
 public:
  // layers.{i}, embedding_norm, final_norm and relative_bias where the spec has them,
  // embeddings.position where it is stored. `tokens`: of the source side.
  static absl::StatusOr<TransformerEncoder> Load(const WeightSource& source, const StackSpec& spec,
                                                 std::shared_ptr<const TokenTable> tokens);

  // Resizes hidden to [total_tokens, hidden_size].
  void Forward(const RaggedBatch& batch, Observers observers, Workspace* workspace,
               Matrix* hidden) const;
  // Without the token table.
  int64_t weight_bytes() const;

 private:
  TransformerEncoder() = default;
  Embedding embedding_;
  std::shared_ptr<const RelativeBias> relative_bias_;  // the layers have it too; may be null
  std::optional<Norm> embedding_norm_, final_norm_;
  std::vector<EncoderLayer> layers_;
};

// Positions 0, 1, ... of every sequence of a batch.
void FillPositions(const RaggedBatch& batch, std::vector<int32_t>* positions);

}  // namespace attend
