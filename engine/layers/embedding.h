// Token ids and positions → the first hidden states of a stack.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/layers/block_spec.h"
#include "engine/layers/token_table.h"
#include "engine/layers/weight_source.h"
#include "engine/tensor/matrix.h"

namespace attend {

struct EmbeddingSpec {
  int64_t hidden_size = 0;
  int64_t max_position_embeddings = 0;
  PositionEncoding position_encoding = PositionEncoding::kSinusoidalHalves;
  float scale = 1.0f;  // of the token's vector
};

class Embedding {
 public:
  // The token table may be shared by encoder and decoder. Positions are those of
  // embeddings.position.weight where the checkpoint has it (shape [max_position_embeddings,
  // hidden_size]), as transformers does it, and computed where not.
  static absl::StatusOr<Embedding> Load(const WeightSource& source,
                                        std::shared_ptr<const TokenTable> tokens,
                                        const EmbeddingSpec& spec);

  // out[i] = token vector * scale + position vector; resizes out.
  // REQUIRES: ids in the vocabulary, positions below max_position_embeddings.
  void Forward(absl::Span<const int32_t> token_ids, absl::Span<const int32_t> positions,
               Matrix* out) const;

  int64_t position_bytes() const { return static_cast<int64_t>(positions_.allocated_bytes()); }

 private:
  std::shared_ptr<const TokenTable> tokens_;
  Matrix positions_;  // [max_position_embeddings, hidden_size]
  float scale_ = 1.0f;
};

}  // namespace attend
